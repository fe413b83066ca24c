// Callbacks: one candidate reports its terms by callbacks, another by three channels;
// a health check fails, and an operator asks for a transfer.
//
//	go run ./examples/callbacks
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

const (
	key = "service/swarm/leader"
	ttl = time.Second
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "callbacks:", err)
		os.Exit(1)
	}
}

func run(out io.Writer) error {
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(out, format+"\n", args...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	kv := memory.New() // stands for the store that all instances share

	// anna has callbacks, and a disk that fills up.
	var full atomic.Bool
	anna := leadership.NewCandidate(kv, key, "anna", ttl,
		leadership.WithHealthCheck(func(context.Context) error {
			if full.Load() {
				return errors.New("the disk is full")
			}
			return nil
		}),
		leadership.WithHealthInterval(ttl/10),
		leadership.WithCallbacks(leadership.Callbacks{
			OnElected:      func(term leadership.Term) { say("anna: elected, token %d", term.Token) },
			OnDemoted:      func(_ leadership.Term, reason error) { say("anna: demoted: %v", reason) },
			OnLeaderChange: func(term leadership.Term) { say("anna: the leader is now %q", term.Leader) },
			OnError:        func(err error) { say("anna: %v", err) },
		}))
	elected, _ := anna.RunForElection(ctx)
	if err := await(ctx, anna.IsLeader); err != nil {
		return err
	}

	// bert has channels. All three have to be read.
	bert := leadership.NewCandidate(kv, key, "bert", ttl)
	signals := bert.RunForSignals(ctx)
	var told sync.WaitGroup
	told.Go(func() {
		for signals.Promoted != nil || signals.Demoted != nil || signals.Errored != nil {
			select {
			case term, ok := <-signals.Promoted:
				if !ok {
					signals.Promoted = nil
					continue
				}
				say("bert: promoted, token %d", term.Token)
			case demotion, ok := <-signals.Demoted:
				if !ok {
					signals.Demoted = nil
					continue
				}
				say("bert: demoted: %v", demotion.Reason)
			case err, ok := <-signals.Errored:
				if !ok {
					signals.Errored = nil
					continue
				}
				say("bert: %v", err)
			}
		}
	})
	time.Sleep(ttl / 2)

	say("anna's disk fills up: after three failed checks she steps down.")
	full.Store(true)
	if err := await(ctx, bert.IsLeader); err != nil {
		return err
	}
	full.Store(false)
	time.Sleep(ttl / 2)

	say("An operator asks for a transfer to anna.")
	if err := leadership.Ask(ctx, kv, key, leadership.Request{Action: leadership.Transfer, To: "anna", By: "olga"}); err != nil {
		return err
	}
	if err := await(ctx, anna.IsLeader); err != nil {
		return err
	}
	time.Sleep(ttl / 2)
	anna.Stop()
	bert.Stop()
	for range elected { // closed when anna's campaign has ended, and her callbacks have returned
	}
	told.Wait()
	return nil
}

// await waits until f returns true.
func await(ctx context.Context, f func() bool) error {
	for !f() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}
