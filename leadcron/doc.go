// Package leadcron lets the instances of a service share the jobs of
// [github.com/go-co-op/gocron/v2]: one of them makes each run.
//
// An [Elector] runs the jobs on the leader alone:
//
//	scheduler, err := gocron.NewScheduler(gocron.WithDistributedElector(leadcron.NewElector(candidate)))
//
// A [Locker] runs a job once for each instant at which it is due, on the node that comes
// first. It has to know the schedule, so there is one for each job:
//
//	const spec = "CRON_TZ=Europe/Berlin 0 8 * * *"
//	locker, err := leadcron.NewLocker(kv, "cleaning", "node-a", spec)
//	...
//	_, err = scheduler.NewJob(gocron.CronJob(spec, false), gocron.NewTask(clean),
//		gocron.WithName("clean"), gocron.WithDistributedJobLocker(locker))
//
// gocron uses either an elector or a locker. With the elector alone, an instant during a
// change of leader may be run twice, because clocks differ, or not at all. A locker with
// OnlyLeader runs jobs on the leader alone, too.
//
// Neither ends a run when leadership is lost or the store fails: what must not be done
// twice has to carry a fencing token (package fence).
package leadcron
