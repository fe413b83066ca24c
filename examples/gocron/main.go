// Gocron: two nodes share a job that is due at every second. Each instant is
// run once, by one of them; when one of them ends, the other runs them all.
//
//	go run ./examples/gocron
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/google/uuid"

	"github.com/seed-a1d591d3/leadership/leadcron"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

const spec = "* * * * * *" // with seconds

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "gocron:", err)
		os.Exit(1)
	}
}

func run(out io.Writer) error {
	say := narrator(out)
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	kv := memory.New() // stands for the store that all nodes share
	defer kv.Close()

	ran := make(chan string, 16)
	say("Two nodes share a job that is due at every second.")
	anna, err := start(kv, "anna", ran, say)
	if err != nil {
		return err
	}
	defer func() { _ = anna.Shutdown() }() // does nothing the second time
	bert, err := start(kv, "bert", ran, say)
	if err != nil {
		return err
	}
	defer func() { _ = bert.Shutdown() }()

	next := func() (string, error) {
		select {
		case name := <-ran:
			return name, nil
		case <-ctx.Done():
			return "", fmt.Errorf("nothing was run: %w", context.Cause(ctx))
		}
	}
	for range 3 {
		if _, err := next(); err != nil {
			return err
		}
	}
	say("anna ends.")
	if err := anna.Shutdown(); err != nil {
		return err
	}
	for berts := 0; berts < 2; {
		name, err := next()
		if err != nil {
			return err
		}
		if name == "bert" {
			berts++
		} else {
			berts = 0 // anna's last, from before
		}
	}
	say("The end: bert has run it alone.")
	return bert.Shutdown()
}

// start starts one node's scheduler with the job.
func start(kv store.Store, name string, ran chan<- string, say func(string, ...any)) (gocron.Scheduler, error) {
	locker, err := leadcron.NewLocker(kv, "reports", name, spec)
	if err != nil {
		return nil, err
	}
	scheduler, err := gocron.NewScheduler()
	if err != nil {
		return nil, err
	}
	report := func() {
		say("%s runs it", name)
		ran <- name
	}
	passed := gocron.AfterLockError(func(_ uuid.UUID, _ string, err error) {
		if errors.Is(err, leadcron.ErrTaken) {
			say("%s does not: %v", name, leadcron.ErrTaken)
		} else {
			say("%s does not: %v", name, err)
		}
	})
	_, err = scheduler.NewJob(gocron.CronJob(spec, true), gocron.NewTask(report), gocron.WithName("report"),
		gocron.WithDistributedJobLocker(locker), gocron.WithEventListeners(passed))
	if err != nil {
		return nil, errors.Join(err, scheduler.Shutdown())
	}
	scheduler.Start()
	return scheduler, nil
}

// narrator prints lines with the time since it was made.
func narrator(out io.Writer) func(format string, args ...any) {
	start := time.Now()
	var mu sync.Mutex
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(out, "%6.3fs  %s\n", time.Since(start).Seconds(), fmt.Sprintf(format, args...))
	}
}
