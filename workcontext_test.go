package leadership

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/clock/clocktest"
	"github.com/seed-a1d591d3/leadership/internal/lease"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestDerivedContextsEndWithTheirTerm(t *testing.T) {
	c := &clocktest.Hand{}
	within, end := context.WithCancel(testTerm(t, c, time.Hour).lease.Context())
	defer end()
	ctx, stop := context.WithTimeout(within, 2*time.Hour)
	defer stop()
	c.Move(time.Hour, time.Hour)
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

func TestWorkOfRunIsToldTheMomentItsTrustIsOver(t *testing.T) {
	c := &clocktest.Hand{}
	candidate := NewCandidate(memory.New(), key, "a", time.Hour, clock.Option(c).(Option))
	err := candidate.Run(t.Context(), func(ctx context.Context, _ Term) error {
		defer candidate.Stop()
		if ctx.Err() != nil {
			t.Error("the context has ended at once")
		}
		done := ctx.Done()
		c.Move(time.Hour, time.Hour) // and no timer fires
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

func TestContextOfAnAttemptIsOverWithItsTrust(t *testing.T) {
	c := &clocktest.Hand{}
	round := NewRound(memory.New(), "system", "round", "node", WithAttemptTTL(MaxTTL), clock.RoundOption(c).(RoundOption))
	won, err := round.Do(t.Context(), func(ctx context.Context) error {
		_, left := round.Attempt()
		c.Move(left, left)
		if ctx.Err() == nil || !isDone(ctx.Done()) {
			t.Error("the context goes on after the end of the trust")
		}
		return context.Cause(ctx)
	})
	if !won || !errors.Is(err, ErrLost) {
		t.Errorf("got %v, %v; want ErrLost", won, err)
	}
}

// TestContextOfAnAttemptAsksTheTermAroundIt: work of Run may call Do.
func TestContextOfAnAttemptAsksTheTermAroundIt(t *testing.T) {
	c := &clocktest.Hand{}
	l := testTerm(t, c, time.Hour)
	round := NewRound(memory.New(), "system", "round", "node", WithAttemptTTL(MaxTTL))
	outer, cancel := context.WithCancel(l.lease.Context())
	defer cancel()
	_, err := round.Do(outer, func(ctx context.Context) error {
		c.Move(time.Hour, time.Hour)
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

// isDone reports whether a channel that Done returned is closed.
func isDone(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// testTerm is a term of token 1 that can be trusted for that long.
func testTerm(t testing.TB, c clock.Clock, trust time.Duration) *term {
	t.Helper()
	l := &term{Term: Term{Leader: "a", Token: 1}, payload: new(atomic.Pointer[[]byte])}
	l.payload.Store(new([]byte))
	l.lease = lease.New(context.WithValue(t.Context(), termKey{}, l), c, trust, c.Now(), ErrLost, func() {})
	t.Cleanup(func() { l.lease.End(ErrStopped) })
	return l
}

func TestIsLeaderAllocatesNothing(t *testing.T) {
	c := NewCandidate(nil, key, "a", time.Minute)
	c.term.Store(testTerm(t, clock.System{}, time.Minute))
	if n := testing.AllocsPerRun(1000, func() { c.IsLeader() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkIsLeader(b *testing.B) {
	c := NewCandidate(nil, key, "a", time.Hour)
	l := testTerm(b, clock.System{}, time.Hour)
	c.term.Store(l)
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
			if l.lease.Context().Err() != nil {
				b.Fatal("it has ended")
			}
		}
	})
	// In turns, so that a busy machine slows both down alike.
	b.Run("as a multiple of time.Now", func(b *testing.B) {
		batch := func(f func()) time.Duration {
			began := time.Now()
			for range 1000 {
				f()
			}
			return time.Since(began)
		}
		var ratios []float64
		for b.Loop() {
			asked := batch(func() { c.IsLeader() })
			ratios = append(ratios, float64(asked)/float64(batch(func() { _ = time.Now() })))
		}
		slices.Sort(ratios)
		b.ReportMetric(ratios[len(ratios)/2], "x-median")
	})
}
