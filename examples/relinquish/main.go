// Relinquish: two nodes take turns, by a schedule.
//
//	go run ./examples/relinquish
//	go run ./examples/relinquish -schedule '0 0 * * *' -for 48h
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

const (
	key = "service/swarm/leader"
	ttl = time.Second
)

func main() {
	schedule := flag.String("schedule", "@every 1s", "when to hand over, as a cron spec")
	span := flag.Duration("for", 4*time.Second, "how long to go on")
	flag.Parse()
	if err := run(os.Stdout, *schedule, *span); err != nil {
		fmt.Fprintln(os.Stderr, "relinquish:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, schedule string, span time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), span)
	defer cancel()
	kv := memory.New() // stands for the store that all instances share

	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(out, "%s  %s\n", time.Now().Format("15:04:05.000"), fmt.Sprintf(format, args...))
	}
	var nodes sync.WaitGroup
	ended := make(chan error, 2)
	for _, node := range []string{"anna", "bert"} {
		candidate := leadership.NewCandidate(kv, key, node, ttl, leadership.WithRelinquishSchedule(schedule))
		nodes.Go(func() {
			ended <- candidate.Run(ctx, func(ctx context.Context, _ leadership.Term) error {
				say("%s leads", node)
				<-ctx.Done()
				if errors.Is(context.Cause(ctx), leadership.ErrRelinquished) {
					say("%s hands over", node)
				}
				return ctx.Err()
			})
		})
	}
	nodes.Wait()
	close(ended)
	for err := range ended {
		if !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
	return nil
}
