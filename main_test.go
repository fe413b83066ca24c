package leadership

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// key is the key of every election here.
const key = "service/leader"

// inVirtualTime runs f in virtual time, in a context that is cancelled when it
// returns; everything that f started must then end by itself.
func inVirtualTime(t *testing.T, f func(t *testing.T, ctx context.Context)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		f(t, ctx)
		cancel()
		time.Sleep(time.Hour) // time stands still once this function returns
	})
}

// withoutIndex reads from a store and forgets the indexes.
func withoutIndex(kv store.Store) func(context.Context, string) (*store.KVPair, error) {
	return func(ctx context.Context, key string) (*store.KVPair, error) {
		pair, err := kv.Get(ctx, key, nil)
		if pair != nil {
			pair.LastIndex = 0
		}
		return pair, err
	}
}

// stored returns the record under key.
func stored(t *testing.T, kv store.Store) election.Record {
	t.Helper()
	pair, err := kv.Get(t.Context(), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := election.Parse(pair.Value)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// collect gathers what a channel delivers until it is closed.
func collect[T any](ch <-chan T) func() []T {
	var mu sync.Mutex
	var got []T
	done := make(chan struct{})
	go func() {
		defer close(done)
		for v := range ch {
			mu.Lock()
			got = append(got, v)
			mu.Unlock()
		}
	}()
	return func() []T {
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		return append([]T(nil), got...)
	}
}

// closed fails the test unless ch is closed within d.
func closed[T any](t *testing.T, what string, ch <-chan T, d time.Duration) {
	t.Helper()
	timeout := time.After(d + 1) // what happens at that very instant counts
	for {
		select {
		case _, ok := <-ch:
			if !ok {
				return
			}
		case <-timeout:
			t.Fatalf("%s: not closed within %v", what, d)
		}
	}
}

// lidClock is the clock of a machine that can be suspended, in virtual time: of that its
// wall clock alone tells.
type lidClock struct {
	clock.System
	slept atomic.Int64
	jumps *clock.Jumps
}

func newLidClock() *lidClock {
	c := &lidClock{}
	c.jumps = clock.NewJumps(c)
	return c
}

func (c *lidClock) suspend(d time.Duration) { c.slept.Add(int64(d)) }
func (c *lidClock) Jumps() *clock.Jumps     { return c.jumps }

func (c *lidClock) Now() clock.Instant {
	now := c.System.Now()
	now.Wall += c.slept.Load()
	return now
}

func equal[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
