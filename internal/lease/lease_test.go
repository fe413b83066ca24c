package lease

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/clock/clocktest"
	"github.com/seed-a1d591d3/leadership/internal/goroutines"
)

var (
	errLost = errors.New("lost")
	errDone = errors.New("done")
)

func testLease(t *testing.T, c clock.Clock, trust time.Duration) *Lease {
	t.Helper()
	l := New(t.Context(), c, trust, c.Now(), errLost, func() {})
	t.Cleanup(func() { l.End(errDone) })
	return l
}

func TestLeaseStandsUntilItsTrustHasRunOut(t *testing.T) {
	c := &clocktest.Hand{}
	l := testLease(t, c, time.Second)
	c.Move(time.Second-1, time.Second-1)
	if !l.Valid() {
		t.Error("does not stand 1 ns before its deadline")
	}
	c.Move(1, 1)
	if l.Valid() {
		t.Error("stands at its deadline")
	}
	if why := context.Cause(l.ctx); !errors.Is(why, errLost) {
		t.Errorf("the cause is %v", why)
	}
}

func TestLeaseCountsTheTimeThatTheMachineSleeps(t *testing.T) {
	c := &clocktest.Hand{}
	l := testLease(t, c, time.Second)
	c.Move(time.Millisecond, time.Hour)
	if l.Valid() {
		t.Error("stands after an hour asleep")
	}
}

func TestLeaseIgnoresAWallClockThatIsSetBack(t *testing.T) {
	c := &clocktest.Hand{}
	l := testLease(t, c, time.Second)
	c.Move(time.Second, -time.Hour)
	if l.Valid() {
		t.Error("stands after its TTL because the wall clock was set back")
	}
}

func TestLeaseIsRenewedFromTheStartOfTheAttempt(t *testing.T) {
	c := &clocktest.Hand{}
	l := testLease(t, c, time.Second)
	c.Move(500*time.Millisecond, 500*time.Millisecond)
	attempt := c.Now()
	c.Move(400*time.Millisecond, 400*time.Millisecond) // until the reply
	if !l.Renew(attempt) {
		t.Fatal("not renewed")
	}
	if left := l.Left(); left != 600*time.Millisecond {
		t.Errorf("%v left, want 600ms", left)
	}
}

func TestLapsedLeaseIsNeverRevived(t *testing.T) {
	c := &clocktest.Hand{}
	l := testLease(t, c, time.Second)
	c.Move(900*time.Millisecond, 900*time.Millisecond)
	attempt := c.Now()
	c.Move(200*time.Millisecond, 200*time.Millisecond)
	if l.Renew(attempt) || l.Valid() {
		t.Error("a renewal whose reply came after the deadline revived the lease")
	}
}

func TestLeaseObservedOverStaysOver(t *testing.T) {
	c := &clocktest.Hand{}
	l := testLease(t, c, time.Second)
	c.Move(time.Second, time.Second)
	if l.Valid() {
		t.Fatal("stands")
	}
	c.Move(-time.Second, -time.Second)
	if l.Valid() {
		t.Error("stands again")
	}
}

func TestLeaseEndsItsContextAtTheDeadlineThoughNobodyAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		l := testLease(t, clock.System{}, time.Second)
		<-l.ctx.Done()
		if took := time.Since(start); took != time.Second {
			t.Errorf("ended after %v, want 1s", took)
		}
	})
}

func TestLeaseEndsItsContextInTimeAfterAPauseBeforeItsTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
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
	synctest.Test(t, func(t *testing.T) {
		c := &hookClock{}
		l := testLease(t, c, time.Second)
		time.Sleep(900 * time.Millisecond)
		hook := func() { // between the start that was loaded and the clock
			start := c.Now()
			l.start.Store(&start)
			time.Sleep(200 * time.Millisecond)
		}
		c.hook.Store(&hook)
		if !l.Valid() {
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

func TestContextOfWorkIsAskedWithoutAllocation(t *testing.T) {
	ctx := testLease(t, clock.System{}, time.Minute).ctx
	if n := testing.AllocsPerRun(1000, func() { _, _ = ctx.Err(), ctx.Done() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// lapsed is a lease whose trust has run out, of which no timer has told yet: as
// work finds it that wakes up first after a pause.
func lapsed(t *testing.T) *Lease {
	t.Helper()
	c := &clocktest.Hand{}
	l := testLease(t, c, time.Hour)
	c.Move(time.Hour, time.Hour)
	return l
}

// isDone reports whether a channel that Done returned is closed.
func isDone(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

func TestWorkContextIsOverBeforeItsTimerTells(t *testing.T) {
	for name, ask := range map[string]func(ctx context.Context) bool{
		"Err":   func(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) },
		"Done":  func(ctx context.Context) bool { return isDone(ctx.Done()) },
		"Cause": func(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errLost) },
		"WithCancel": func(ctx context.Context) bool {
			ctx, end := context.WithCancel(ctx)
			defer end()
			return ctx.Err() != nil
		},
		"WithTimeout": func(ctx context.Context) bool {
			ctx, end := context.WithTimeout(ctx, time.Hour)
			defer end()
			return ctx.Err() != nil
		},
		"WithValue":     func(ctx context.Context) bool { return context.WithValue(ctx, valueKey{}, 1).Err() != nil },
		"WithoutCancel": func(ctx context.Context) bool { return context.WithoutCancel(ctx).Err() == nil },
	} {
		if !ask(lapsed(t).ctx) {
			t.Errorf("%s: the context goes on after the end of the trust", name)
		}
	}
}

func TestWorkContextFollowsTheRenewalsOfItsTerm(t *testing.T) {
	c := &clocktest.Hand{}
	l := testLease(t, c, time.Hour)
	done := l.ctx.Done()
	for range 5 {
		c.Move(59*time.Minute, 59*time.Minute)
		if l.ctx.Err() != nil || isDone(done) || context.Cause(l.ctx) != nil {
			t.Fatal("the context has ended before the term")
		}
		l.Renew(c.Now())
	}
	c.Move(time.Hour, time.Hour)
	if l.ctx.Err() == nil || !isDone(done) {
		t.Error("the context goes on after the end of the term")
	}
}

// valueKey is the key of a value in a context.
type valueKey struct{}

// TestWorkContextTellsNoDeadline: with one, context.WithTimeout would rely on it, and
// not end at all when the term is renewed.
func TestWorkContextTellsNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLease(t, clock.System{}, time.Second)
		if _, ok := l.ctx.Deadline(); ok {
			t.Error("it has a deadline")
		}
		ctx, cancel := context.WithTimeout(l.ctx, 2*time.Second)
		defer cancel()
		start := time.Now()
		for ctx.Err() == nil && time.Since(start) < time.Minute {
			l.Renew(clock.System{}.Now())
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(start); took < 2*time.Second || took > 2100*time.Millisecond || l.ctx.Err() != nil { // timers of one instant fire in any order
			t.Errorf("the derived context ended after %v, want 2s", took)
		}
	})
}

func TestDerivedContextsNeedNoGoroutine(t *testing.T) {
	goroutines.Of(func(count func() int) {
		l := testLease(t, &clocktest.Hand{}, time.Hour)
		called := make(chan struct{})
		defer context.AfterFunc(l.ctx, func() { close(called) })()
		for range 10 {
			ctx, cancel := context.WithCancel(l.ctx)
			defer cancel()
			ctx, cancel = context.WithTimeout(context.WithValue(ctx, valueKey{}, 1), time.Hour)
			defer cancel()
			defer context.AfterFunc(ctx, func() {})()
		}
		if n := count(); n > 0 {
			t.Errorf("%d goroutines wait for the context to end", n)
		}
		l.End(errDone)
		<-called
	})
}

// Somebody may ask between the two steps of its end: a log would tell of a reason <nil>.
func TestCauseIsKnownAsSoonAsALeaseIsOver(t *testing.T) {
	l := testLease(t, &clocktest.Hand{}, time.Hour)
	l.why.Store(&errLost)
	if !l.Over() || !errors.Is(context.Cause(l.Context()), errLost) {
		t.Errorf("the lease is over: %v, because of %v", l.Over(), context.Cause(l.Context()))
	}
}
