package leadership

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
)

func testLease(t *testing.T, c clock.Clock, trust time.Duration) *lease {
	t.Helper()
	l := newLease(t.Context(), c, election.Record{Leader: "a", Token: 1, Millis: 1000}, trust, c.Now(), func() {})
	t.Cleanup(func() { l.end(ErrStopped) })
	return l
}

func TestLeaseStandsUntilItsTrustHasRunOut(t *testing.T) {
	c := &handClock{}
	l := testLease(t, c, time.Second)
	c.move(time.Second-1, time.Second-1)
	if !l.standing() {
		t.Error("does not stand 1 ns before its deadline")
	}
	c.move(1, 1)
	if l.standing() {
		t.Error("stands at its deadline")
	}
	if why := context.Cause(l.ctx); !errors.Is(why, ErrLost) {
		t.Errorf("the cause is %v", why)
	}
}

func TestLeaseCountsTheTimeThatTheMachineSleeps(t *testing.T) {
	c := &handClock{}
	l := testLease(t, c, time.Second)
	c.move(time.Millisecond, time.Hour)
	if l.standing() {
		t.Error("stands after an hour asleep")
	}
}

func TestLeaseIgnoresAWallClockThatIsSetBack(t *testing.T) {
	c := &handClock{}
	l := testLease(t, c, time.Second)
	c.move(time.Second, -time.Hour)
	if l.standing() {
		t.Error("stands after its TTL because the wall clock was set back")
	}
}

func TestLeaseIsRenewedFromTheStartOfTheAttempt(t *testing.T) {
	c := &handClock{}
	l := testLease(t, c, time.Second)
	c.move(500*time.Millisecond, 500*time.Millisecond)
	attempt := c.Now()
	c.move(400*time.Millisecond, 400*time.Millisecond) // until the reply
	if !l.renewed(attempt) {
		t.Fatal("not renewed")
	}
	if left := l.left(); left != 600*time.Millisecond {
		t.Errorf("%v left, want 600ms", left)
	}
}

func TestLapsedLeaseIsNeverRevived(t *testing.T) {
	c := &handClock{}
	l := testLease(t, c, time.Second)
	c.move(900*time.Millisecond, 900*time.Millisecond)
	attempt := c.Now()
	c.move(200*time.Millisecond, 200*time.Millisecond)
	if l.renewed(attempt) || l.standing() {
		t.Error("a renewal whose reply came after the deadline revived the lease")
	}
}

func TestLeaseObservedOverStaysOver(t *testing.T) {
	c := &handClock{}
	l := testLease(t, c, time.Second)
	c.move(time.Second, time.Second)
	if l.standing() {
		t.Fatal("stands")
	}
	c.move(-time.Second, -time.Second)
	if l.standing() {
		t.Error("stands again")
	}
}

func TestLeaseEndsItsContextAtTheDeadlineThoughNobodyAsks(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		start := time.Now()
		l := testLease(t, clock.System{}, time.Second)
		<-l.ctx.Done()
		if took := time.Since(start); took != time.Second {
			t.Errorf("ended after %v, want 1s", took)
		}
	})
}

func TestLeaseEndsItsContextInTimeAfterAPauseBeforeItsTimer(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		start := time.Now()
		c := &pausingClock{pause: 100 * time.Millisecond}
		l := testLease(t, c, time.Second)
		<-l.inside.Done() // which does not ask
		if took := time.Since(start); took != time.Second {
			t.Errorf("ended after %v, want 1s", took)
		}
	})
}

func TestLeaseRenewedWhileItsReaderIsPausedStands(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		c := &hookClock{}
		l := testLease(t, c, time.Second)
		time.Sleep(900 * time.Millisecond)
		hook := func() { // between the start that was loaded and the clock
			start := c.Now()
			l.start.Store(&start)
			time.Sleep(200 * time.Millisecond)
		}
		c.hook.Store(&hook)
		if !l.standing() {
			t.Error("ended by a reader who had an old start and a late time")
		}
	})
}

// hookClock calls a hook, once, before it is read.
type hookClock struct {
	clock.System
	hook atomic.Pointer[func()]
}

func (c *hookClock) Now() clock.Instant {
	if hook := c.hook.Swap(nil); hook != nil {
		(*hook)()
	}
	return c.System.Now()
}

// pausingClock pauses its reader after each second reading.
type pausingClock struct {
	clock.System
	pause time.Duration
	reads atomic.Int32
}

func (c *pausingClock) Now() clock.Instant {
	now := c.System.Now()
	if c.reads.Add(1)%2 == 0 {
		time.Sleep(c.pause)
	}
	return now
}

func TestIsLeaderAllocatesNothing(t *testing.T) {
	c := NewCandidate(nil, key, "a", time.Minute)
	c.lease.Store(testLease(t, clock.System{}, time.Minute))
	if n := testing.AllocsPerRun(1000, func() { c.IsLeader() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestContextOfWorkIsAskedWithoutAllocation(t *testing.T) {
	ctx := testLease(t, clock.System{}, time.Minute).ctx
	if n := testing.AllocsPerRun(1000, func() { _, _ = ctx.Err(), ctx.Done() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkIsLeader(b *testing.B) {
	c := NewCandidate(nil, key, "a", time.Hour)
	l := newLease(b.Context(), clock.System{}, election.Record{}, time.Hour, clock.System{}.Now(), func() {})
	defer l.end(ErrStopped)
	c.lease.Store(l)
	b.Run("IsLeader", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !c.IsLeader() {
				b.Fatal("not the leader")
			}
		}
	})
	b.Run("Err", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if l.ctx.Err() != nil {
				b.Fatal("it has ended")
			}
		}
	})
	b.Run("time.Now", func(b *testing.B) {
		var t time.Time
		for b.Loop() {
			t = time.Now()
		}
		_ = t
	})
}
