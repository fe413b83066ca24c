// Package leadcron lets the instances of a service share the jobs of
// [github.com/go-co-op/gocron/v2]: each run is made by one of them.
//
// An [Elector] lets the jobs of the leader run, and those of no other:
//
//	scheduler, err := gocron.NewScheduler(gocron.WithDistributedElector(leadcron.NewElector(candidate)))
//
// A [Locker] lets each instant at which a job is due be run once, by the
// node that comes first. It has to know the schedule, so there is one for each job:
//
//	const spec = "CRON_TZ=Europe/Berlin 0 8 * * *"
//	locker, err := leadcron.NewLocker(kv, "cleaning", "node-a", spec)
//	...
//	_, err = scheduler.NewJob(gocron.CronJob(spec, false), gocron.NewTask(clean),
//		gocron.WithName("clean"), gocron.WithDistributedJobLocker(locker))
//
// gocron asks either an elector or a locker. With the elector alone, an instant
// that falls into a change of leader may be run twice, for clocks differ, or not at
// all; OnlyLeader gives a locker that also lets the leader alone run.
//
// Neither ends a run when leadership is lost or the store fails: what must not
// be done by two carries a fencing token (package fence).
package leadcron
