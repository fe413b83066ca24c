package leadership

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/standin"
	"github.com/seed-a1d591d3/leadership/internal/watches"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// counted counts the calls of a store that answers each in a time, and serves one at once.
type counted struct {
	store.Store
	gets, puts atomic.Int64
	overtake   bool // writes do not wait for the reads that came before them
}

func newCounted() *counted {
	const trip, busy = 250 * time.Microsecond, 50 * time.Microsecond
	inner := memory.New()
	free := make(chan struct{}, 1)
	serve := func() {
		time.Sleep(trip / 2)
		free <- struct{}{}
		time.Sleep(busy)
		<-free
	}
	c := new(counted)
	c.Store = &standin.Store{
		Store: inner,
		OnGet: func(ctx context.Context, key string) (*store.KVPair, error) {
			c.gets.Add(1)
			serve()
			pair, err := inner.Get(ctx, key, nil)
			time.Sleep(trip / 2)
			return pair, err
		},
		OnPut: func(ctx context.Context, key string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
			c.puts.Add(1)
			if c.overtake {
				time.Sleep(trip)
			} else {
				serve()
			}
			ok, pair, err := inner.AtomicPut(ctx, key, value, previous, nil)
			time.Sleep(trip / 2)
			return ok, pair, err
		},
	}
	return c
}

func TestWatchedRenewalsAreNotReadAgain(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := newCounted()
		a, b := NewCandidate(kv, key, "a", ttl), NewCandidate(kv, key, "b", ttl)
		f := NewFollower(kv, key, WithRetryInterval(ttl/3))
		a.RunForElection(ctx)
		time.Sleep(ttl)
		b.RunForElection(ctx)
		f.FollowElection(ctx)
		time.Sleep(ttl)
		reads := kv.gets.Load()
		time.Sleep(100 * ttl)
		if !a.IsLeader() || f.Leader() != "a" {
			t.Fatal("a leads no more")
		}
		if n := kv.gets.Load() - reads; n > 105 { // the candidate's, once a TTL
			t.Errorf("%d reads in 100 TTLs", n)
		}
	})
}

// dragging is a store whose watch shows each pair a little later than the one before.
type dragging struct{ store.Store }

func (d dragging) Watch(ctx context.Context, key string, opts *store.ReadOptions) (<-chan *store.KVPair, error) {
	in, err := d.Store.Watch(ctx, key, opts)
	out := make(chan *store.KVPair, 1000)
	go func() {
		var sends sync.WaitGroup
		late := time.Duration(0)
		for pair := range in {
			late += ttl / 100
			sends.Add(1)
			time.AfterFunc(late, func() { out <- pair; sends.Done() })
		}
		sends.Wait()
		close(out)
	}()
	return out, err
}

// TestWatchThatFallsBehindDelaysAHandoverByATTL: in the end it shows renewals of long ago.
func TestWatchThatFallsBehindDelaysAHandoverByATTL(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		shared := memory.New()
		a, b := NewCandidate(shared, key, "a", ttl), NewCandidate(dragging{shared}, key, "b", ttl)
		a.RunForElection(ctx)
		time.Sleep(ttl)
		b.RunForElection(ctx)
		time.Sleep(200 * ttl)
		a.Stop()
		began := time.Now()
		for !b.IsLeader() {
			time.Sleep(ttl / 100)
		}
		if d := time.Since(began); d > ttl+ttl/10 {
			t.Errorf("b leads %v after a has left", d)
		}
	})
}

func TestManyCandidatesTakeTurnsAtAFreeSeat(t *testing.T) {
	for _, overtake := range []bool{false, true} {
		t.Run(fmt.Sprintf("writes overtake reads %t", overtake), func(t *testing.T) { testTurns(t, overtake) })
	}
}

func testTurns(t *testing.T, overtake bool) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		const candidates, handovers = 150, 16
		kv := newCounted()
		kv.overtake = overtake
		all := make([]*Candidate, candidates)
		for i := range all {
			all[i] = NewCandidate(kv, key, fmt.Sprint("node-", i), ttl)
			all[i].RunForElection(ctx)
			if i == 0 {
				time.Sleep(ttl / 10)
			}
		}
		leader := func() *Candidate {
			i := slices.IndexFunc(all, (*Candidate).IsLeader)
			if i < 0 {
				return nil
			}
			return all[i]
		}
		var took []time.Duration
		var writes, reads []int64
		for range handovers {
			time.Sleep(ttl)
			before, looks, began := kv.puts.Load(), kv.gets.Load(), time.Now()
			leader().Resign()
			for leader() == nil {
				time.Sleep(100 * time.Microsecond)
			}
			took = append(took, time.Since(began))
			time.Sleep(ttl / 10)
			writes, reads = append(writes, kv.puts.Load()-before), append(reads, kv.gets.Load()-looks)
		}
		t.Logf("%v after %v writes and %v reads", took, writes, reads)
		later := writes[handovers/2:]
		slices.Sort(later)
		if later[len(later)/2] > 20 {
			t.Errorf("%v writes at a handover", later)
		}
		looks := reads[handovers/2:]
		slices.Sort(looks)
		if looks[len(looks)/2] > 50 {
			t.Errorf("%v reads at a handover", looks)
		}
		slices.Sort(took)
		if took[len(took)/2] > 10*time.Millisecond {
			t.Errorf("a handover takes %v", took[len(took)/2])
		}
		synctest.Wait()
	})
}

func TestCallsTakeTurnsAndRenewalsDoNotWait(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		const others = 2 * watches.MaxCalls
		inner := memory.New()
		var under, most atomic.Int64
		var slow atomic.Bool
		kv := &standin.Store{Store: inner, OnGet: func(ctx context.Context, key string) (*store.KVPair, error) {
			most.Store(max(most.Load(), under.Add(1)))
			defer under.Add(-1)
			if slow.Load() {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return inner.Get(ctx, key, nil)
		}}
		leader := NewCandidate(kv, key, "a", ttl)
		leader.RunForElection(ctx)
		time.Sleep(ttl)
		slow.Store(true)
		var told []func() []error
		for i := range others {
			_, errs := NewFollower(kv, fmt.Sprint("other/", i), WithRetryInterval(ttl/3)).FollowElection(ctx)
			told = append(told, collect(errs))
		}
		time.Sleep(10 * ttl)
		if !leader.IsLeader() {
			t.Error("the leader could not renew its term")
		}
		if n := most.Load(); n != watches.MaxCalls {
			t.Errorf("%d calls at once", n)
		}
		if !slices.ContainsFunc(told, func(errs func() []error) bool {
			return slices.ContainsFunc(errs(), func(err error) bool {
				return strings.Contains(err.Error(), "256 other calls of the store have not returned") && errors.Is(err, context.DeadlineExceeded)
			})
		}) {
			t.Error("nobody is told what it has waited for")
		}
		slow.Store(false)
	})
}

// countedMany counts the calls of a store that reads many keys at once.
type countedMany struct {
	*memory.Store
	gets, manys, puts atomic.Int64
}

func (c *countedMany) all() int64 { return c.gets.Load() + c.manys.Load() + c.puts.Load() }

func (c *countedMany) Get(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
	c.gets.Add(1)
	return c.Store.Get(ctx, key, opts)
}

func (c *countedMany) GetMany(ctx context.Context, keys []string) ([]*store.KVPair, error) {
	c.manys.Add(1)
	return c.Store.GetMany(ctx, keys)
}

func (c *countedMany) AtomicPut(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
	c.puts.Add(1)
	return c.Store.AtomicPut(ctx, key, value, previous, opts)
}

// Watch never shows anything.
func (c *countedMany) Watch(ctx context.Context, _ string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
	pairs := make(chan *store.KVPair)
	context.AfterFunc(ctx, func() { close(pairs) })
	return pairs, nil
}

func TestLooksOfManyThatWaitCostFewCalls(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		const elections, ttls = 200, 20
		kv := &countedMany{Store: memory.New()}
		var leaders, waiting []*Candidate
		for i := range elections {
			a, b := NewCandidate(kv.Store, fmt.Sprint(key, i), "a", ttl), NewCandidate(kv, fmt.Sprint(key, i), "b", ttl)
			a.RunForElection(ctx)
			leaders, waiting = append(leaders, a), append(waiting, b)
		}
		time.Sleep(ttl)
		for i, b := range waiting {
			b.RunForElection(ctx)
			NewFollower(kv, fmt.Sprint(key, i)).FollowElection(ctx)
		}
		time.Sleep(ttl)
		gets, manys := kv.gets.Load(), kv.manys.Load()
		time.Sleep(ttls * ttl)
		gets, manys = kv.gets.Load()-gets, kv.manys.Load()-manys
		t.Logf("%d reads, and %d of many keys, in %d TTLs", gets, manys, ttls)
		if gets > 0 || manys > 10*ttls {
			t.Errorf("%d reads, and %d of many keys, in %d TTLs", gets, manys, ttls)
		}
		for _, a := range leaders {
			if !a.IsLeader() {
				t.Fatal("a does not lead")
			}
			a.Stop()
		}
		time.Sleep(ttl)
		for _, b := range waiting {
			if !b.IsLeader() {
				t.Fatal("b does not lead a TTL after a has left, unwatched")
			}
		}
	})
}

func TestHandoversDoNotWaitForLooksOfOthers(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		const elections = 200
		kv := memory.New()
		var leaders, waiting []*Candidate
		for i := range elections {
			a, b := NewCandidate(kv, fmt.Sprint(key, i), "a", ttl), NewCandidate(kv, fmt.Sprint(key, i), "b", ttl)
			a.RunForElection(ctx)
			leaders, waiting = append(leaders, a), append(waiting, b)
		}
		time.Sleep(ttl)
		for _, b := range waiting {
			b.RunForElection(ctx)
		}
		time.Sleep(ttl)
		for i, a := range leaders {
			time.Sleep(ttl / 50) // at any time of their looks
			a.Stop()
			for began := time.Now(); !waiting[i].IsLeader(); time.Sleep(time.Millisecond) {
				if time.Since(began) > ttl/100 {
					t.Fatalf("handover %d takes more than %v", i, time.Since(began))
				}
			}
		}
	})
}

func TestTakeoversDoNotWaitForLooksOfOthers(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		const elections = 200
		kv := memory.New()
		var dead atomic.Bool // the leaders' process
		theirs := &standin.Store{
			Store: kv,
			OnPut: func(ctx context.Context, key string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
				if dead.Load() {
					return false, nil, errors.New("dead")
				}
				return kv.AtomicPut(ctx, key, value, previous, nil)
			},
		}
		var waiting []*Candidate
		for i := range elections {
			NewCandidate(theirs, fmt.Sprint(key, i), "a", ttl).RunForElection(ctx)
			waiting = append(waiting, NewCandidate(kv, fmt.Sprint(key, i), "b", ttl))
			time.Sleep(ttl / 100) // they renew at different times
		}
		for _, b := range waiting {
			b.RunForElection(ctx)
		}
		time.Sleep(5 * ttl)
		dead.Store(true)
		time.Sleep(ttl + ttl/100)
		for i, b := range waiting {
			if !b.IsLeader() {
				t.Fatalf("election %d has no leader a TTL after the crash", i)
			}
		}
	})
}

func TestSeatsOfACrashedProcessAreReadTogether(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		const elections = 200
		kv := &countedMany{Store: memory.New()}
		link := faultstore.New(kv.Store)
		dead := riders(ctx, link, "a", elections)
		time.Sleep(ttl)
		waiting := riders(ctx, kv, "b", elections)
		time.Sleep(2 * ttl)
		if n := leading(dead); n != elections {
			t.Fatalf("%d lead", n)
		}
		gets, manys := kv.gets.Load(), kv.manys.Load()
		link.Partition()
		time.Sleep(2 * ttl)
		if n := leading(waiting); n != elections {
			t.Errorf("%d lead", n)
		}
		if gets, manys := kv.gets.Load()-gets, kv.manys.Load()-manys; gets+manys > elections/2 {
			t.Errorf("%d reads, and %d of many keys", gets, manys)
		}
	})
}
