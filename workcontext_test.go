package leadership

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/goroutines"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// lapsed is a lease whose trust has run out, of which no timer has told yet: as
// work finds it that wakes up first after a pause.
func lapsed(t *testing.T) *lease {
	t.Helper()
	c := &handClock{}
	l := testLease(t, c, time.Hour)
	c.move(time.Hour, time.Hour)
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
		"Cause": func(ctx context.Context) bool { return errors.Is(context.Cause(ctx), ErrLost) },
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
	c := &handClock{}
	l := testLease(t, c, time.Hour)
	done := l.ctx.Done()
	for range 5 {
		c.move(59*time.Minute, 59*time.Minute)
		if l.ctx.Err() != nil || isDone(done) || context.Cause(l.ctx) != nil {
			t.Fatal("the context has ended before the term")
		}
		l.renewed(c.Now())
	}
	c.move(time.Hour, time.Hour)
	if l.ctx.Err() == nil || !isDone(done) {
		t.Error("the context goes on after the end of the term")
	}
}

// valueKey is the key of a value in a context.
type valueKey struct{}

// TestWorkContextTellsNoDeadline: with one, context.WithTimeout would rely on it, and
// not end at all when the term is renewed.
func TestWorkContextTellsNoDeadline(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ context.Context) {
		l := testLease(t, clock.System{}, time.Second)
		if _, ok := l.ctx.Deadline(); ok {
			t.Error("it has a deadline")
		}
		ctx, cancel := context.WithTimeout(l.ctx, 2*time.Second)
		defer cancel()
		start := time.Now()
		for ctx.Err() == nil && time.Since(start) < time.Minute {
			l.renewed(clock.System{}.Now())
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(start); took < 2*time.Second || took > 2100*time.Millisecond || l.ctx.Err() != nil { // timers of one instant fire in any order
			t.Errorf("the derived context ended after %v, want 2s", took)
		}
	})
}

func TestDerivedContextsEndWithTheirTerm(t *testing.T) {
	l := lapsed(t)
	// Before anything is asked.
	within, end := context.WithCancel(l.inside)
	defer end()
	ctx, stop := context.WithTimeout(within, time.Hour)
	defer stop()
	if ctx.Err() != nil {
		t.Fatal("it has ended before anything was asked: the test shows nothing")
	}
	if term, ok := TermFromContext(ctx); !ok || term.Token != 1 {
		t.Errorf("the term is %v, %v", term, ok)
	}
	if !errors.Is(ctx.Err(), context.Canceled) || !isDone(ctx.Done()) || !errors.Is(context.Cause(ctx), ErrLost) {
		t.Errorf("TermFromContext was asked, and the context has not ended: %v, %v", ctx.Err(), context.Cause(ctx))
	}
}

func TestDerivedContextsNeedNoGoroutine(t *testing.T) {
	goroutines.Of(func(count func() int) {
		l := testLease(t, &handClock{}, time.Hour)
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
		l.end(ErrResigned)
		<-called
	})
}

func TestWorkOfRunIsToldTheMomentItsTrustIsOver(t *testing.T) {
	c := &handClock{}
	candidate := NewCandidate(memory.New(), key, "a", time.Hour, clock.Option(c).(Option))
	err := candidate.Run(t.Context(), func(ctx context.Context, _ Term) error {
		defer candidate.Stop()
		if ctx.Err() != nil {
			t.Error("the context has ended at once")
		}
		done := ctx.Done()
		c.move(time.Hour, time.Hour) // and no timer fires
		if isDone(done) {
			t.Error("a timer fired: the test shows nothing")
		}
		if ctx.Err() == nil {
			t.Error("ctx.Err() is nil after the end of the trust")
		}
		if !isDone(done) || candidate.IsLeader() {
			t.Error("told to one, and not to the other")
		}
		return ctx.Err()
	})
	if err != nil {
		t.Error(err)
	}
}

// TestContextOfAnAttemptIsOverWithItsTrust has work spin, so that it is often awake
// before the timers are.
func TestContextOfAnAttemptIsOverWithItsTrust(t *testing.T) {
	kv := faultstore.New(memory.New())
	for i := range 5 {
		round := NewRound(kv, "system", strconv.Itoa(i), "node", WithAttemptTTL(MinTTL))
		kv.SetPlan(nil)
		won, err := round.Do(t.Context(), func(ctx context.Context) error {
			kv.SetPlan(faultstore.Always(faultstore.Fault{Err: faultstore.ErrInjected}, faultstore.OpAtomicPut))
			for {
				if _, left := round.Attempt(); left == 0 {
					break
				}
			}
			if err := ctx.Err(); err == nil {
				t.Error("ctx.Err() is nil after the end of the trust")
			}
			return context.Cause(ctx)
		})
		if !won || !errors.Is(err, ErrLost) {
			t.Errorf("got %v, %v; want ErrLost", won, err)
		}
	}
}

// TestContextOfAnAttemptAsksTheTermAroundIt: work of Run may call Do.
func TestContextOfAnAttemptAsksTheTermAroundIt(t *testing.T) {
	c := &handClock{}
	l := testLease(t, c, time.Hour)
	round := NewRound(memory.New(), "system", "round", "node", WithAttemptTTL(MaxTTL))
	outer, cancel := context.WithCancel(l.ctx)
	defer cancel()
	_, err := round.Do(outer, func(ctx context.Context) error {
		c.move(time.Hour, time.Hour)
		if ctx.Err() == nil || !isDone(ctx.Done()) {
			t.Error("the context of the attempt goes on after the term around it")
		}
		return context.Cause(ctx)
	})
	if !errors.Is(err, ErrLost) {
		t.Errorf("got %v, want ErrLost", err)
	}
}

func TestGraceEndsTheWorkSoMuchBeforeTheTrust(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New())
		c := NewCandidate(kv, key, "a", 15*time.Second, WithGrace(5*time.Second))
		ended := make(chan time.Time, 1)
		started(ctx, c, func(ctx context.Context, _ Term) error {
			<-ctx.Done()
			ended <- time.Now()
			return ctx.Err()
		})
		synctest.Wait()
		start := time.Now()
		kv.Partition()
		if took := (<-ended).Sub(start); took != 7*time.Second {
			t.Errorf("the work's context ended %v after the claim, want 12s less 5s", took)
		}
		kv.Heal()
	})
	for _, grace := range []time.Duration{-1, 12 * time.Second} {
		err := NewCandidate(memory.New(), key, "a", 15*time.Second, WithGrace(grace)).Run(t.Context(), func(context.Context, Term) error { return nil })
		if !errors.Is(err, ErrInvalidArgument) || !strings.Contains(err.Error(), "grace is "+grace.String()) {
			t.Errorf("%v", err)
		}
	}
}

func TestContextOfTheWorkKnowsTheTerm(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		c := NewCandidate(memory.New(), key, "a", ttl)
		done := started(ctx, c, func(ctx context.Context, term Term) error {
			inner, cancel := context.WithCancel(ctx)
			defer cancel()
			if got, ok := TermFromContext(inner); !ok || got.Token != term.Token {
				t.Errorf("%+v, %v; want %+v", got, ok, term)
			}
			c.Stop()
			return nil
		})
		if err := <-done; err != nil {
			t.Error(err)
		}
		if term, ok := TermFromContext(ctx); ok {
			t.Errorf("another context knows %+v", term)
		}
	})
}
