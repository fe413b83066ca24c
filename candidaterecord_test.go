package leadership

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/standin"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestVanishedRecordIsWrittenAgain(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewCandidate(kv, key, "a", ttl)
		elected, errs := c.RunForElection(ctx)
		got := collect(elected)
		synctest.Wait()
		older, _ := kv.Get(ctx, key, nil)
		if err := kv.Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if rec := stored(t, kv); rec.Leader != "a" {
			t.Errorf("after the deletion: %+v", rec)
		}
		if err := <-errs; !errors.Is(err, ErrRecordLost) || !strings.Contains(err.Error(), key) {
			t.Errorf("reported %v", err)
		}
		time.Sleep(ttl)
		if err := kv.Put(ctx, key, election.Record{Leader: "x", Instance: "x", Token: 5, Millis: 1000, Since: time.UnixMilli(1).UTC()}.Encode(), nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if rec := stored(t, kv); rec.Leader != "a" {
			t.Errorf("after the rollback to another term: %+v", rec)
		}
		time.Sleep(ttl)
		if err := kv.Put(ctx, key, older.Value, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * ttl)
		equal(t, "stream", got(), []bool{false, true})
	})
}

func TestLeaderWhoseRecordIsReplacedStepsDownAtOnce(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewCandidate(kv, key, "a", ttl)
		elected, _ := c.RunForElection(ctx)
		<-elected
		<-elected
		synctest.Wait()
		usurper := election.Record{Leader: "x", Instance: "x", Token: election.MaxToken - 1, Millis: 1000, Since: time.UnixMilli(1).UTC()}
		if err := kv.Put(ctx, key, usurper.Encode(), nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if c.IsLeader() || <-elected {
			t.Error("goes on leading")
		}
	})
}

func TestForeignValueIsNeverOverwritten(t *testing.T) {
	for _, precious := range []string{"precious", `{"v":1,"kind":"fence","token":7,"check":"precious"}`} {
		t.Run(precious, func(t *testing.T) { foreignValueIsNeverOverwritten(t, precious) })
	}
}

func foreignValueIsNeverOverwritten(t *testing.T, precious string) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		if err := kv.Put(ctx, key, []byte(precious), nil); err != nil {
			t.Fatal(err)
		}
		c := NewCandidate(kv, key, "a", ttl)
		elected, errs := c.RunForElection(ctx)
		got := collect(elected)
		time.Sleep(10 * ttl)
		if pair, _ := kv.Get(ctx, key, nil); string(pair.Value) != precious {
			t.Fatalf("overwritten by %s", pair.Value)
		}
		if err := <-errs; !errors.Is(err, ErrForeignRecord) || !strings.Contains(err.Error(), key) || strings.Contains(err.Error(), "precious") {
			t.Errorf("reported %v", err)
		}
		if err := kv.Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
		time.Sleep(ttl)
		equal(t, "stream", got(), []bool{false, true})

		if err := kv.Put(ctx, key, []byte(precious), nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if c.IsLeader() {
			t.Error("leads though its record was overwritten")
		}
		c.Stop()
		synctest.Wait()
		if pair, _ := kv.Get(ctx, key, nil); string(pair.Value) != precious {
			t.Fatalf("overwritten by %s", pair.Value)
		}
	})
}

func TestRecordThatNoTokenCanFollowIsLeftAlone(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		last := election.Record{Token: election.MaxToken - 1, Beat: 1}.Encode()
		if err := kv.Put(ctx, key, last, nil); err != nil {
			t.Fatal(err)
		}
		c := NewCandidate(kv, key, "a", ttl)
		elected, errs := c.RunForElection(ctx)
		got := collect(elected)
		if err := <-errs; !errors.Is(err, ErrForeignRecord) || !strings.Contains(err.Error(), key) {
			t.Errorf("reported %v", err)
		}
		time.Sleep(10 * ttl)
		equal(t, "stream", got(), []bool{false})
		if pair, _ := kv.Get(ctx, key, nil); string(pair.Value) != string(last) {
			t.Errorf("overwritten by %s", pair.Value)
		}
		claims := NewClaims(kv, key)
		refusedWith(ctx, t, claims, claimFor("b"), ErrForeignRecord)
		// What was seen in a record that is gone does not outlive its use.
		if err := kv.Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		time.Sleep(ttl)
		if term, ok := c.Term(); !ok || term.Token < uint64(began.UnixMilli()) || term.Token > uint64(time.Now().UnixMilli()) {
			t.Errorf("leads %+v, %v, after the record was deleted", term, ok)
		}
		c.Stop()
		time.Sleep(ttl)
		if got := claimed(ctx, t, claims, claimFor("b")); !got.Won || got.Term.Token > uint64(time.Now().UnixMilli())+1 {
			t.Errorf("b got %+v", got)
		}
	})
}

func TestStoreWithoutCompareAndSwapIsRefused(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		inner := memory.New()
		// As kvtools' Redis with its default codec: a write returns an index
		// and a read does not find it, nor does a write care.
		kv := &standin.Store{Store: inner, OnGet: withoutIndex(inner), OnPut: func(ctx context.Context, key string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
			if previous != nil {
				previous, _ = inner.Get(ctx, key, nil)
			}
			return inner.AtomicPut(ctx, key, value, previous, nil)
		}}
		c := NewCandidate(kv, key, "a", ttl)
		elected, errs := c.RunForElection(ctx)
		got := collect(elected)
		err := <-errs
		if !errors.Is(err, ErrUnsafeStore) || !strings.Contains(err.Error(), "JSONCodec") || !strings.Contains(err.Error(), key) {
			t.Errorf("reported %v", err)
		}
		closed(t, "errors", errs, ttl)
		equal(t, "stream", got(), []bool{false})
		if err := c.Run(ctx, func(context.Context, Term) error { return nil }); !errors.Is(err, ErrUnsafeStore) {
			t.Errorf("Run returns %v", err)
		}
	})
}

func TestStoreIsNotCondemnedForAValueThatWasWrittenAgain(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		inner := memory.New()
		var gets atomic.Int32
		kv := &standin.Store{Store: inner, OnGet: func(ctx context.Context, key string) (*store.KVPair, error) {
			if gets.Add(1) == 2 { // between the claim and the look that confirms it
				pair, err := inner.Get(ctx, key, nil)
				if err != nil {
					return nil, err
				}
				if err := inner.Put(ctx, key, pair.Value, nil); err != nil {
					return nil, err
				}
			}
			return inner.Get(ctx, key, nil)
		}}
		c := NewCandidate(kv, key, "a", ttl)
		elected, _ := c.RunForElection(ctx)
		got := collect(elected)
		time.Sleep(10 * ttl)
		equal(t, "stream", got(), []bool{false, true})
	})
}

func TestStoreThatReturnsNoValueShowsItsIndexesFirst(t *testing.T) {
	for name, unsafe := range map[string]bool{"it keeps them": false, "it does not": true} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, ctx context.Context) {
				kv := memory.New()
				mute := &standin.Store{Store: kv, OnPut: func(ctx context.Context, key string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
					ok, pair, err := kv.AtomicPut(ctx, key, value, previous, nil)
					if err != nil {
						return ok, nil, err
					}
					index := pair.LastIndex
					if unsafe {
						index += 1000
					}
					return ok, &store.KVPair{Key: key, LastIndex: index}, nil
				}}
				c := NewCandidate(mute, key, "a", ttl)
				_, errs := c.RunForElection(ctx)
				time.Sleep(ttl)
				if c.IsLeader() == unsafe {
					t.Errorf("it leads: %v", c.IsLeader())
				}
				if unsafe {
					select {
					case err := <-errs:
						if !errors.Is(err, ErrUnsafeStore) {
							t.Errorf("got %v", err)
						}
					default:
						t.Error("no error tells it")
					}
				}
				c.Stop()
			})
		})
	}
}

func TestClaimThatShowsLateIsLedBy(t *testing.T) {
	for _, lag := range []time.Duration{ttl / 1000, ttl / 100} {
		inVirtualTime(t, func(t *testing.T, ctx context.Context) {
			kv := memory.New()
			var mu sync.Mutex
			var written time.Time
			var before *store.KVPair
			puts := 0
			late := &standin.Store{Store: kv}
			late.OnPut = func(ctx context.Context, key string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
				mu.Lock()
				defer mu.Unlock()
				before, _ = kv.Get(ctx, key, nil)
				puts, written = puts+1, time.Now()
				return kv.AtomicPut(ctx, key, value, previous, nil)
			}
			late.OnGet = func(ctx context.Context, key string) (*store.KVPair, error) {
				mu.Lock()
				defer mu.Unlock()
				switch {
				case time.Since(written) >= lag:
					return kv.Get(ctx, key, nil)
				case before == nil:
					return nil, store.ErrKeyNotFound
				}
				return before, nil
			}
			c := NewCandidate(late, key, "a", ttl)
			c.RunForElection(ctx)
			time.Sleep(ttl / 2)
			if mu.Lock(); !c.IsLeader() || puts > 3 {
				t.Errorf("a read that is %v late: it leads: %v, after %d writes", lag, c.IsLeader(), puts)
			}
			mu.Unlock()
			c.Stop()
		})
	}
}
