package leadership

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// riders are candidates of one process, in that many elections, that share a session.
func riders(ctx context.Context, kv store.Store, node string, n int) (all []*Candidate) {
	s := NewSession(kv, "app/", node, ttl)
	for i := range n {
		c := NewCandidate(kv, fmt.Sprint("app/", i), node, ttl, WithSession(s))
		c.RunForElection(ctx)
		all = append(all, c)
	}
	return all
}

func leading(all []*Candidate) (n int) {
	for _, c := range all {
		if c.IsLeader() {
			n++
		}
	}
	return n
}

func TestManyTermsRideOnOneSession(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		const n = 50
		kv := newCounted()
		all := riders(ctx, kv, "a", n)
		time.Sleep(ttl)
		if got := leading(all); got != n {
			t.Fatalf("%d lead", got)
		}
		before := kv.puts.Load()
		time.Sleep(100 * ttl)
		if got := leading(all); got != n {
			t.Errorf("%d lead", got)
		}
		if writes := kv.puts.Load() - before; writes > 310 {
			t.Errorf("%d writes in 100 TTLs", writes)
		}
	})
}

func TestTermsOfALostSessionAreTakenTogether(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		const n = 50
		kv := newCounted()
		link := faultstore.New(kv)
		a := riders(ctx, link, "a", n)
		time.Sleep(ttl)
		b := riders(ctx, kv, "b", n)
		time.Sleep(ttl)
		link.Partition()
		began := time.Now()
		for leading(b) < n {
			if leading(a)+leading(b) > n {
				t.Fatal("two lead")
			}
			for i := range a {
				if a[i].IsLeader() && b[i].IsLeader() {
					t.Fatal("two lead")
				}
			}
			time.Sleep(ttl / 100)
			if time.Since(began) > 3*ttl {
				t.Fatalf("%d are led", leading(b))
			}
		}
		t.Logf("after %v", time.Since(began))
		link.Heal()
		time.Sleep(10 * ttl)
		if leading(a) != 0 || leading(b) != n {
			t.Errorf("%d and %d lead", leading(a), leading(b))
		}
	})
}

func TestSessionIsEndedAfterTheLastOfItsTerms(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := newCounted()
		a := riders(ctx, kv, "a", 5)
		time.Sleep(ttl)
		for _, c := range a {
			c.Stop()
		}
		time.Sleep(ttl / 10)
		b := riders(ctx, kv, "b", 5)
		time.Sleep(ttl / 10)
		if leading(b) != 5 {
			t.Errorf("%d lead", leading(b))
		}
	})
}

func TestThousandElectionsCostOneHeartbeat(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		const n, ttls = 1000, 20
		shared := memory.New()
		process := func(node string) (*countedMany, *faultstore.Store, []*Candidate) {
			kv := &countedMany{Store: shared}
			link := faultstore.New(kv)
			return kv, link, riders(ctx, link, node, n)
		}
		aCalls, aLink, a := process("a")
		time.Sleep(ttl)
		if got := leading(a); got != n {
			t.Fatalf("%d lead", got)
		}
		bCalls, _, b := process("b")
		time.Sleep(2 * ttl)
		for _, c := range []*countedMany{aCalls, bCalls} {
			gets, manys, puts := c.gets.Load(), c.manys.Load(), c.puts.Load()
			time.Sleep(ttls * ttl)
			gets, manys, puts = c.gets.Load()-gets, c.manys.Load()-manys, c.puts.Load()-puts
			t.Logf("%d gets, %d of many, %d writes in %d TTLs", gets, manys, puts, ttls)
			if calls := gets + manys + puts; calls > 20*ttls {
				t.Errorf("%d calls in %d TTLs", calls, ttls)
			}
		}
		if leading(a) != n || leading(b) != 0 {
			t.Fatalf("%d and %d lead", leading(a), leading(b))
		}
		before := bCalls.gets.Load() + bCalls.manys.Load() + bCalls.puts.Load()
		aLink.Partition()
		began := time.Now()
		for leading(b) < n {
			time.Sleep(ttl / 100)
			if time.Since(began) > 3*ttl {
				t.Fatalf("%d are led", leading(b))
			}
		}
		t.Logf("all are led after %v, by %d calls", time.Since(began), bCalls.gets.Load()+bCalls.manys.Load()+bCalls.puts.Load()-before)
	})
}
