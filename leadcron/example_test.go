package leadcron_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-co-op/gocron/v2"

	"github.com/seed-a1d591d3/leadership"
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

// Jobs run only on the node that leads.
func ExampleNewElector() {
	kv := memory.New()
	defer kv.Close()
	candidate := leadership.NewCandidate(kv, "service/swarm/leader", "underwood", 15*time.Second)
	leads, _ := candidate.RunForElection(context.Background())

	scheduler, err := gocron.NewScheduler(gocron.WithDistributedElector(leadcron.NewElector(candidate)))
	if err != nil {
		panic(err)
	}
	clean := func() { fmt.Println("at 8, on the leader") }
	if _, err := scheduler.NewJob(gocron.CronJob("0 8 * * *", false), gocron.NewTask(clean)); err != nil {
		panic(err)
	}
	scheduler.Start()
	fmt.Println("waiting")
	_ = scheduler.Shutdown() // before the seat is given up
	candidate.Stop()
	for range leads {
	}
	// Output: waiting
}

func ExampleElector() {
	kv := memory.New()
	defer kv.Close()
	ctx := context.Background()
	candidate := leadership.NewCandidate(kv, "service/swarm/leader", "underwood", 15*time.Second)
	elector := leadcron.NewElector(candidate)
	fmt.Println(errors.Is(elector.IsLeader(ctx), leadcron.ErrNotLeader))
	_ = candidate.Run(ctx, func(ctx context.Context, _ leadership.Term) error {
		fmt.Println(elector.IsLeader(ctx))
		candidate.Stop()
		return nil
	})
	// Output:
	// true
	// <nil>
}

// Each instant of a schedule is one node's: gocron calls Lock when it comes.
func ExampleLocker() {
	kv := memory.New()
	defer kv.Close()
	for _, node := range []string{"node-a", "node-b"} {
		locker, err := leadcron.NewLocker(kv, "cleaning", node, "@yearly")
		if err != nil {
			panic(err)
		}
		_, err = locker.Lock(context.Background(), "clean")
		fmt.Println(node, "has come too late:", errors.Is(err, leadcron.ErrTaken))
	}
	// Output:
	// node-a has come too late: false
	// node-b has come too late: true
}

func ExampleOption() {
	kv := memory.New()
	defer kv.Close()
	options := []leadcron.Option{
		leadcron.WithLocation(time.UTC),
		leadcron.WithRoundOptions(leadership.WithCallTimeout(2 * time.Second)),
	}
	_, err := leadcron.NewLocker(kv, "cleaning", "node-a", "0 8 * *", options...)
	fmt.Println(errors.Is(err, leadership.ErrInvalidArgument)) // four fields
	// Output: true
}
