package leadership

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// leftTerm has a candidate stop that cannot reach its key, though another of its session can:
// the record names a session that lives on. It returns the store of the process, whose keys can
// all be reached again, and the other candidate.
func leftTerm(ctx context.Context, t *testing.T, kv store.Store, election string) (*faultstore.Store, *Session, *Candidate) {
	var cut atomic.Bool
	link := faultstore.New(kv, faultstore.WithPlan(func(call faultstore.Call) faultstore.Fault {
		if cut.Load() && call.Key == election {
			return faultstore.Fault{Err: store.ErrNotReachable}
		}
		return faultstore.Fault{}
	}))
	s := NewSession(link, "app/", "a", ttl)
	left, other := NewCandidate(link, election, "a", ttl, WithSession(s)), NewCandidate(link, "app/other", "a", ttl, WithSession(s))
	leads, _ := left.RunForElection(ctx)
	other.RunForElection(ctx)
	time.Sleep(ttl)
	if !left.IsLeader() || !other.IsLeader() {
		t.Fatal("they do not lead")
	}
	cut.Store(true)
	left.Stop()
	for range leads {
	}
	cut.Store(false)
	if !other.IsLeader() {
		t.Fatal("the session is over")
	}
	return link, s, other
}

func TestSeatLeftOnALivingSessionIsTakenByItsProcess(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		link, s, other := leftTerm(ctx, t, newCounted(), "app/left")
		next := NewCandidate(link, "app/left", "a", ttl, WithSession(s))
		next.RunForElection(ctx)
		time.Sleep(3 * ttl / 2)
		if !next.IsLeader() || !other.IsLeader() {
			t.Errorf("the next leads: %v; the other: %v", next.IsLeader(), other.IsLeader())
		}
	})
}

func TestSeatLeftOnALivingSessionIsGivenUpLater(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := newCounted()
		_, _, other := leftTerm(ctx, t, kv, "app/left")
		next := NewCandidate(kv, "app/left", "b", ttl)
		next.RunForElection(ctx)
		time.Sleep(ttl)
		if !next.IsLeader() || !other.IsLeader() {
			t.Errorf("the next leads: %v; the other: %v", next.IsLeader(), other.IsLeader())
		}
	})
}

func TestTermOfAnotherInstanceOnALivingSessionIsTaken(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		s := NewSession(kv, "app/", "a", ttl)
		c := NewCandidate(kv, "app/x", "a", ttl, WithSession(s))
		c.RunForElection(ctx)
		time.Sleep(ttl)
		pair, err := kv.Get(ctx, "app/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Resign()
		time.Sleep(ttl / 10)
		if err := kv.Put(ctx, "app/x", []byte(strings.Replace(string(pair.Value), `"instance":"`, `"instance":"OLD`, 1)), nil); err != nil { // a backup is restored
			t.Fatal(err)
		}
		for d := time.Duration(0); d < ttl; d += ttl / 20 { // a copy of the process may trust it
			if c.IsLeader() {
				t.Fatalf("it leads after %v", d)
			}
			time.Sleep(ttl / 20)
		}
		time.Sleep(ttl)
		if !c.IsLeader() {
			t.Error("it does not lead")
		}
	})
}
