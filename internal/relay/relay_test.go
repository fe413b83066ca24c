package relay

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestElectionRelayTellsAStreamThatAlternates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Terms[*fake]())
		got := collect(r.Out)
		for range 3 {
			l := newFake()
			r.Set(l)
			r.Set(l)
			synctest.Wait()
			l.End()
			r.Set(nil)
			synctest.Wait()
		}
		r.Close()
		equal(t, "stream", got(), []bool{false, true, false, true, false, true, false})
	})
}

func TestElectionRelayTellsTwoTermsApartThoughNothingLiesBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Terms[*fake]())
		got := collect(r.Out)
		first, second := newFake(), newFake()
		r.Set(first)
		synctest.Wait()
		first.End()
		r.Set(second)
		synctest.Wait()
		equal(t, "stream", got(), []bool{false, true, false, true})
		second.End()
		r.Close()
		equal(t, "stream", got(), []bool{false, true, false, true, false})
	})
}

func TestElectionRelayTakesBackATrueWhoseTermIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Terms[*fake]())
		l := newFake()
		r.Set(l)
		<-r.Out
		synctest.Wait() // the true lies there
		l.End()
		r.Set(nil)
		synctest.Wait()
		r.Close()
		if v, ok := <-r.Out; ok {
			t.Errorf("delivered %v", v)
		}
	})
}

func TestElectionRelayEndsThoughATrueOfATermThatGoesOnIsUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Terms[*fake]())
		r.Set(newFake())
		<-r.Out
		synctest.Wait() // the true lies there
		r.Set(nil)      // as when the stream is handed over
		r.Close()
		if v, ok := <-r.Out; ok {
			t.Errorf("delivered %v", v)
		}
	})
}

func TestElectionRelayLeavesTheLastFalseToASlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Terms[*fake]())
		l := newFake()
		r.Set(l)
		<-r.Out
		<-r.Out
		l.End()
		r.Set(nil)
		r.Close()
		if v, ok := <-r.Out; v || !ok {
			t.Errorf("got %v, %v, want false, true", v, ok)
		}
		if _, ok := <-r.Out; ok {
			t.Error("not closed")
		}
	})
}

func TestLeaderRelayTellsASlowReaderTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Latest())
		for _, name := range []string{"a", "", "b", "c"} {
			r.Set(name)
			synctest.Wait()
		}
		if got := <-r.Out; got != "c" {
			t.Errorf("told %q first, want c", got)
		}
		r.Set("")
		if got := <-r.Out; got != "" {
			t.Errorf("told %q, want nobody", got)
		}
		r.Close()
	})
}

func TestStreamKeepsTheLatestErrors(t *testing.T) {
	s := NewStream(Latest())
	for range 2 * Errors {
		s.Report(errTest)
	}
	s.End(errLast)
	var last error
	n := 0
	for err := range s.Errs {
		last = err
		n++
	}
	if n != Errors || !errors.Is(last, errLast) {
		t.Errorf("%d errors, the last %v", n, last)
	}
}

var (
	errTest = errors.New("one of many")
	errLast = errors.New("the last")
)

// fake is a lease that is valid until it ends.
type fake struct{ over atomic.Bool }

func newFake() *fake        { return new(fake) }
func (f *fake) Valid() bool { return !f.over.Load() }
func (f *fake) End()        { f.over.Store(true) }

// collect reads a channel, and returns what has come.
func collect[T any](ch <-chan T) func() []T {
	var mu sync.Mutex
	var got []T
	go func() {
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
		return slices.Clone(got)
	}
}

func equal[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
