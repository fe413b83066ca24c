package electiontest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
)

// testManyKeys: a process that follows many elections below one directory hears of each
// before it would look, and goes on when the server was away.
func testManyKeys(e *election) {
	kv := e.env.Open(e)
	e.Cleanup(func() { _ = kv.Close() })
	ctx, cancel := context.WithCancel(e.Context())
	defer cancel()
	if _, err := store.HintsBelow(ctx, kv, e.key+"/"); errors.Is(err, store.ErrCallNotSupported) {
		e.Logf("left out: %v", err)
		return
	}
	var (
		keys  []string
		all   []*leadership.Follower
		hears sync.WaitGroup
	)
	defer hears.Wait()
	for i := range 300 { // more than have watches of their own
		keys = append(keys, fmt.Sprintf("%s/%d", e.key, i))
		f := leadership.NewFollower(kv, keys[i])
		defer f.Stop()
		leaders, errs := f.FollowElection(e.Context())
		hears.Go(func() {
			for range leaders {
			}
		})
		hears.Go(func() {
			for range errs {
			}
		})
		all = append(all, f)
	}
	heard := func(what, leader string) {
		e.Helper()
		took := e.within(patience, what, func() bool {
			for _, f := range all {
				if f.Leader() != leader {
					return false
				}
			}
			return true
		})
		e.Logf("%s after %v", what, took.Round(time.Millisecond))
	}
	lead := func(ttl time.Duration, meanwhile func()) {
		group := leadership.NewGroup(e.hand, "a", ttl)
		done := make(chan error, 1)
		go func() {
			done <- group.Run(ctx, keys, func(ctx context.Context, _ string, _ leadership.Term) error {
				<-ctx.Done()
				return nil
			})
		}()
		heard("all hear of the leader", "a")
		meanwhile()
		group.Stop()
		if err := <-done; err != nil {
			e.Errorf("Run: %v", err)
		}
		heard("all hear of the vacancy", "")
	}
	lead(5*time.Minute, func() {}) // they would look after a minute
	if e.env.Server != nil {
		// A watch that has ended is opened again after a third of the TTL.
		lead(patience/2, func() { e.env.Server.Stop(); e.env.Server.Start() })
	}
}
