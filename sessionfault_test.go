package leadership

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/standin"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestRidersAreToldOfAStoreThatIsUnsafe(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		inner := memory.New()
		var puts atomic.Int64
		kv := &standin.Store{Store: inner, OnGet: withoutIndex(inner), OnPut: func(ctx context.Context, key string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
			puts.Add(1)
			time.Sleep(time.Millisecond)
			if previous != nil {
				previous, _ = inner.Get(ctx, key, nil)
			}
			return inner.AtomicPut(ctx, key, value, previous, nil)
		}}
		s := NewSession(kv, "app/", "a", ttl)
		for i := range 3 {
			leads, errs := NewCandidate(kv, fmt.Sprint("app/", i), "a", ttl, WithSession(s)).RunForElection(ctx)
			var last error
			for err := range errs {
				last = err
			}
			if !errors.Is(last, ErrUnsafeStore) || !strings.Contains(last.Error(), "app/sessions/") {
				t.Errorf("the campaign ended with %v", last)
			}
			for leads := range leads {
				if leads {
					t.Error("it leads")
				}
			}
		}
		if n := puts.Load(); n > 12 {
			t.Errorf("%d writes", n)
		}
	})
}

func TestSessionsOfStandbysThatCrashedAreDeleted(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		b := riders(ctx, kv, "b", 1)
		time.Sleep(ttl)
		for i := range 3 {
			link := faultstore.New(kv)
			within, crash := context.WithCancel(ctx)
			riders(within, link, fmt.Sprint("a", i), 1)
			time.Sleep(ttl)
			link.Partition()
			crash()
			time.Sleep(4 * ttl)
		}
		time.Sleep(4 * sweepInterval)
		pairs, err := kv.List(ctx, "app/sessions/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(pairs) != 1 || leading(b) != 1 {
			t.Errorf("%d sessions are there, and b leads %d elections", len(pairs), leading(b))
		}
	})
}

// slowMany is a store that takes its time, and reads many keys by one call.
type slowMany struct {
	store.Store
	takes time.Duration
}

func (s *slowMany) Get(ctx context.Context, key string, o *store.ReadOptions) (*store.KVPair, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, key, o)
}

func (s *slowMany) GetMany(ctx context.Context, keys []string) ([]*store.KVPair, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	return store.GetMany(ctx, s.Store, keys)
}

func (s *slowMany) wait(ctx context.Context) error {
	select {
	case <-time.After(s.takes):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestSlowStoreIsNoneThatFailsForTermsThatRide(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		const n = 100
		shared := memory.New()
		riders(ctx, shared, "a", n)
		time.Sleep(ttl)
		kv := &slowMany{Store: shared, takes: ttl / 10}
		var fails atomic.Int64
		for i := range n {
			_, errs := NewFollower(kv, fmt.Sprint("app/", i)).FollowElection(ctx)
			go func() {
				for range errs {
					fails.Add(1)
				}
			}()
		}
		time.Sleep(20 * ttl)
		if n := fails.Load(); n > 0 {
			t.Errorf("%d errors in 20 TTLs", n)
		}
	})
}

func TestSessionThatIsClaimedTooLateIsGivenUp(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		var late atomic.Bool
		link := faultstore.New(kv, faultstore.WithPlan(func(call faultstore.Call) faultstore.Fault {
			if call.Op == faultstore.OpAtomicPut && late.CompareAndSwap(false, true) {
				return faultstore.Fault{Before: 5 * ttl, IgnoreContext: true}
			}
			return faultstore.Fault{}
		}))
		c := riders(ctx, link, "a", 1)[0]
		time.Sleep(ttl / 10)
		c.Stop()
		time.Sleep(10 * ttl)
		pairs, err := kv.List(ctx, "app/sessions/", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, pair := range pairs {
			if rec, err := election.ParseSession(pair.Value); err != nil || rec.Held() {
				t.Errorf("%s is kept: %+v, %v", pair.Key, rec, err)
			}
		}
	})
}
