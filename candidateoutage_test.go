package leadership

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/clock/clocktest"
	"github.com/seed-a1d591d3/leadership/internal/goroutines"
	"github.com/seed-a1d591d3/leadership/internal/standin"
	"github.com/seed-a1d591d3/leadership/internal/watches"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestStoreThatIsDownAtTheStart(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New())
		kv.Refuse()
		c := NewCandidate(kv, key, "a", ttl)
		elected, errs := c.RunForElection(ctx)
		<-elected
		if err := <-errs; !errors.Is(err, store.ErrNotReachable) || !strings.Contains(err.Error(), key) {
			t.Errorf("reported %v", err)
		}
		time.Sleep(time.Hour)
		kv.Heal()
		start := time.Now()
		if !<-elected {
			t.Fatal("false twice")
		}
		if took := time.Since(start); took > ttl/3 {
			t.Errorf("leads %v after the store came back, want a retry interval at most", took)
		}
	})
}

func TestOutageOfAnHourLeavesTheNumberOfGoroutinesFlat(t *testing.T) {
	for name, ignore := range map[string]bool{"calls that end with their contexts": false, "calls that ignore their contexts": true} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, ctx context.Context) {
				kv := faultstore.New(memory.New())
				kv.IgnoreContexts(ignore)
				c := NewCandidate(kv, key, "a", ttl)
				f := NewFollower(kv, key)
				elected, _ := c.RunForElection(ctx)
				leader, _ := f.FollowElection(ctx)
				<-elected
				<-elected
				<-leader
				kv.Partition()
				<-elected
				time.Sleep(time.Minute)
				before := goroutines.InBubble()
				time.Sleep(time.Hour)
				// Two calls and two openings of watches may be under way or not.
				if after := goroutines.InBubble(); after > before+4 {
					t.Errorf("%d goroutines became %d", before, after)
				}
				kv.Heal()
				if !<-elected {
					t.Fatal("false twice")
				}
				c.Stop()
				f.Stop()
				closed(t, "elected", elected, ttl)
				closed(t, "leader", leader, ttl)
				_ = kv.Close() // ends the watches that ignore their contexts
			})
		})
	}
}

func TestStopEndsWithinTheTTLThoughTheStoreHangs(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New())
		kv.IgnoreContexts(true)
		c := NewCandidate(kv, key, "a", ttl)
		elected, errs := c.RunForElection(ctx)
		<-elected
		<-elected
		kv.Partition()
		time.Sleep(ttl / 2)
		c.Stop()
		closed(t, "elected", elected, ttl+watches.Grace)
		closed(t, "errors", errs, 0)
		_ = kv.Close() // lets go of what hangs
	})
}

func TestWatchThatTalksTooMuchCostsNoTerm(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		inner := memory.New()
		kv := &standin.Store{Store: faultstore.New(inner, faultstore.WithPlan(faultstore.Always(
			faultstore.Fault{After: time.Millisecond}, faultstore.OpGet, faultstore.OpAtomicPut)))}
		kv.OnWatch = func(ctx context.Context) <-chan *store.KVPair {
			pairs := make(chan *store.KVPair)
			go func() {
				defer close(pairs)
				for {
					select {
					case <-ctx.Done():
						return
					case pairs <- &store.KVPair{}:
						time.Sleep(time.Millisecond / 2)
					}
				}
			}()
			return pairs
		}
		c := NewCandidate(kv, key, "a", ttl)
		elected, _ := c.RunForElection(ctx)
		got := collect(elected)
		time.Sleep(10 * ttl)
		equal(t, "stream", got(), []bool{false, true})
	})
}

func TestSuspendedMachineDoesNotWakeUpAsLeader(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		hand := &clocktest.Hand{}
		c := NewCandidate(memory.New(), key, "a", ttl, clock.Option(hand).(Option))
		elected, _ := c.RunForElection(ctx)
		<-elected
		<-elected
		hand.Move(0, time.Hour)
		if c.IsLeader() {
			t.Error("leads after an hour asleep")
		}
	})
}

func TestTermLostInAnOutageIsToldAsExpired(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New())
		c := NewCandidate(kv, key, "a", ttl)
		elected, _ := c.RunForElection(ctx)
		<-elected
		<-elected
		first, _ := c.Term()
		kv.Partition()
		<-elected
		kv.Heal()
		if !<-elected {
			t.Fatal("false twice")
		}
		if second, _ := c.Term(); second.Last != (Ending{"a", first.Token, "expired"}) {
			t.Errorf("the term before is told as %+v", second.Last)
		}
	})
}
