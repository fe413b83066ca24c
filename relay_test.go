package leadership

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
)

func TestElectionRelayTellsAStreamThatAlternates(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		r := newElectionRelay()
		got := collect(r.out)
		for range 3 {
			l := testLease(t, clock.System{}, time.Minute)
			r.set(l)
			r.set(l)
			synctest.Wait()
			l.end(ErrResigned)
			r.set(nil)
			synctest.Wait()
		}
		r.close()
		equal(t, "stream", got(), []bool{false, true, false, true, false, true, false})
	})
}

func TestElectionRelayTellsTwoTermsApartThoughNothingLiesBetween(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		r := newElectionRelay()
		got := collect(r.out)
		first, second := testLease(t, clock.System{}, time.Minute), testLease(t, clock.System{}, time.Minute)
		r.set(first)
		synctest.Wait()
		first.end(ErrLost)
		r.set(second)
		synctest.Wait()
		equal(t, "stream", got(), []bool{false, true, false, true})
		second.end(ErrStopped)
		r.close()
		equal(t, "stream", got(), []bool{false, true, false, true, false})
	})
}

func TestElectionRelayTakesBackATrueWhoseTermIsOver(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		r := newElectionRelay()
		l := testLease(t, clock.System{}, time.Minute)
		r.set(l)
		<-r.out
		synctest.Wait() // the true lies there
		l.end(ErrLost)
		r.set(nil)
		synctest.Wait()
		r.close()
		if v, ok := <-r.out; ok {
			t.Errorf("delivered %v", v)
		}
	})
}

func TestElectionRelayEndsThoughATrueOfATermThatGoesOnIsUnread(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		r := newElectionRelay()
		r.set(testLease(t, clock.System{}, time.Minute))
		<-r.out
		synctest.Wait() // the true lies there
		r.set(nil)      // as when the stream is handed over
		r.close()
		if v, ok := <-r.out; ok {
			t.Errorf("delivered %v", v)
		}
	})
}

func TestElectionRelayLeavesTheLastFalseToASlowReader(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		r := newElectionRelay()
		l := testLease(t, clock.System{}, time.Minute)
		r.set(l)
		<-r.out
		<-r.out
		l.end(ErrStopped)
		r.set(nil)
		r.close()
		if v, ok := <-r.out; v || !ok {
			t.Errorf("got %v, %v, want false, true", v, ok)
		}
		if _, ok := <-r.out; ok {
			t.Error("not closed")
		}
	})
}

func TestLeaderRelayTellsASlowReaderTheLatest(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		r := newLeaderRelay()
		for _, name := range []string{"a", "", "b", "c"} {
			r.set(name)
			synctest.Wait()
		}
		if got := <-r.out; got != "c" {
			t.Errorf("told %q first, want c", got)
		}
		r.set("")
		if got := <-r.out; got != "" {
			t.Errorf("told %q, want nobody", got)
		}
		r.close()
	})
}

func TestStreamKeepsTheLatestErrors(t *testing.T) {
	s := newStream(newLeaderRelay())
	for range 2 * errorBuffer {
		s.report(ErrLost)
	}
	s.end(ErrUnsafeStore)
	var last error
	n := 0
	for err := range s.errs {
		last = err
		n++
	}
	if n != errorBuffer || !errors.Is(last, ErrUnsafeStore) {
		t.Errorf("%d errors, the last %v", n, last)
	}
}
