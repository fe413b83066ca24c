package leadcron_test

import (
	"fmt"

	"github.com/go-co-op/gocron/v2"

	"github.com/seed-a1d591d3/leadership/leadcron"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// Two nodes share a job. Each has a locker of its own, with the same schedule as
// gocron.
func ExampleNewLocker() {
	kv := memory.New()
	defer kv.Close()
	const spec = "CRON_TZ=Europe/Berlin 0 8 * * *"
	for _, node := range []string{"node-a", "node-b"} {
		locker, err := leadcron.NewLocker(kv, "cleaning", node, spec)
		if err != nil {
			panic(err)
		}
		scheduler, err := gocron.NewScheduler()
		if err != nil {
			panic(err)
		}
		clean := func() { fmt.Println("at 8, on one of the two") }
		_, err = scheduler.NewJob(gocron.CronJob(spec, false), gocron.NewTask(clean),
			gocron.WithName("clean"), gocron.WithDistributedJobLocker(locker))
		if err != nil {
			panic(err)
		}
		scheduler.Start()
		defer func() { _ = scheduler.Shutdown() }()
	}
	fmt.Println("waiting")
	// Output: waiting
}
