package leadership

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// noticed is how soon after its machine has woken up a process has noticed.
const noticed = 250 * time.Millisecond

// soon fails the test unless within noticed of since.
func soon(t *testing.T, what string, since time.Time) {
	t.Helper()
	if took := time.Since(since); took > noticed {
		t.Errorf("%s %v after the machine woke up, want %v at most", what, took, noticed)
	}
}

// TestSuspendedLeaderNoticesSoonAfterItWakesUp, whatever its TTL, though it waits for
// what was told to it and asks nothing.
func TestSuspendedLeaderNoticesSoonAfterItWakesUp(t *testing.T) {
	for _, ttl := range []time.Duration{time.Second, 15 * time.Second, time.Hour} {
		t.Run(fmt.Sprint(ttl), func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, ctx context.Context) {
				lid := newLidClock()
				c := NewCandidate(memory.New(), key, "a", ttl, clock.Option(lid).(Option))
				elected, _ := c.RunForElection(ctx)
				for !<-elected {
				}
				l := c.term.Load()
				derived, cancel := context.WithCancel(l.lease.Context())
				defer cancel()
				time.Sleep(ttl * 17 / 20) // it was renewed
				start := time.Now()
				lid.suspend(ttl)
				<-derived.Done()
				soon(t, "the context ended", start)
				if <-elected {
					t.Error("told true again, and no false between")
				}
				soon(t, "the stream told false", start)
				if why := context.Cause(derived); !errors.Is(why, ErrLost) {
					t.Errorf("the cause is %v", why)
				}
			})
		})
	}
}

func TestLeaderThatSleptForAMomentLeadsOn(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		lid := newLidClock()
		l := testTerm(t, lid, time.Hour)
		lid.suspend(20 * time.Minute)
		time.Sleep(time.Minute)
		lid.suspend(-20 * time.Minute) // and its clock was set back
		time.Sleep(time.Minute)
		lid.suspend(30 * time.Minute)
		start := time.Now()
		time.Sleep(27 * time.Minute)
		if l.lease.Over() {
			t.Error("it is over before its time")
		}
		<-l.lease.Context().Done()
		if took := time.Since(start); took > 28*time.Minute {
			t.Errorf("over after %v, want 28m", took)
		}
	})
}

func TestOneTimerTellsAllLeasesOfJumps(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		timers := &countingClock{lidClock: newLidClock()}
		timers.lidClock.jumps = clock.NewJumps(timers)
		var leases []*term
		for range 10_000 {
			leases = append(leases, testTerm(t, timers, time.Hour))
		}
		timers.count.Store(0)
		time.Sleep(10 * time.Second)
		if n := timers.count.Load(); n > 101 {
			t.Errorf("10,000 leases set %d timers in 10s, want 100", n)
		}
		timers.suspend(time.Hour)
		time.Sleep(noticed)
		for _, l := range leases {
			if !l.lease.Over() {
				t.Fatal("a lease was not told")
			}
		}
		time.Sleep(clock.LookEvery)
		timers.count.Store(0)
		time.Sleep(time.Minute)
		if n := timers.count.Load(); n > 0 {
			t.Errorf("%d timers were set after the last lease had ended", n)
		}
	})
}

// countingClock counts the timers that are set, while nothing else goes on.
type countingClock struct {
	*lidClock
	count atomic.Int32
}

func (c *countingClock) AfterFunc(d time.Duration, f func()) *time.Timer {
	c.count.Add(1)
	return c.lidClock.AfterFunc(d, f)
}
