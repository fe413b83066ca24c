package leadership

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/standin"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// every loses the replies of one write in n, beginning with the next.
func every(n int) faultstore.Plan {
	var writes atomic.Int32
	return func(call faultstore.Call) faultstore.Fault {
		if call.Op == faultstore.OpAtomicPut && int(writes.Add(1))%n == 1%n {
			return faultstore.Fault{LoseReply: true, After: ttl / 5}
		}
		return faultstore.Fault{}
	}
}

func TestClaimWhoseReplyWasLostIsWrittenOnceMore(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New())
		c := NewClaims(kv, key)
		kv.SetPlan(every(2))
		first := claimed(ctx, t, c, claimFor("a"))
		if !first.Won || first.Trust != ttl*3/5 {
			t.Fatalf("a got %+v", first)
		}
		if again := claimed(ctx, t, c, claimFor("a")); !again.Won || again.Trust != ttl*3/5 || again.Term.Token != first.Term.Token {
			t.Fatalf("a got %+v", again)
		}
		if n := kv.Calls(faultstore.OpAtomicPut); n != 4 {
			t.Errorf("%d writes, want 4", n)
		}
		// Nothing is ever acknowledged.
		kv.SetPlan(faultstore.Always(faultstore.Fault{LoseReply: true}, faultstore.OpAtomicPut))
		refusedWith(ctx, t, c, claimFor("a"), faultstore.ErrInjected)
		refusedWith(ctx, t, NewClaims(kv, "other"), claimFor("a"), faultstore.ErrInjected)
		// Nothing can be read back now.
		kv.SetPlan(func(call faultstore.Call) faultstore.Fault {
			if call.Op == faultstore.OpGet {
				return faultstore.Fault{Err: store.ErrNotReachable}
			}
			return faultstore.Fault{LoseReply: true}
		})
		refusedWith(ctx, t, c, claimFor("a"), store.ErrNotReachable)
		// And here nothing was written.
		kv.SetPlan(faultstore.Always(faultstore.Fault{Err: store.ErrNotReachable}, faultstore.OpAtomicPut))
		refusedWith(ctx, t, c, claimFor("a"), store.ErrNotReachable)
	})
}

// Two servers renew for one holder at once, as when it asks again without having
// waited for an answer. One of them was refused, and does not get to know.
func TestRenewalOfAnotherServerIsNotTakenForOnesOwn(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		shared := memory.New()
		link := faultstore.New(shared)
		one, two := NewClaims(link, key), NewClaims(shared, key)
		claimed(ctx, t, one, claimFor("a"))
		// Server one knows the record, which server two renews.
		claimed(ctx, t, two, claimFor("a"))
		time.Sleep(ttl / 2)
		link.SetPlan(faultstore.Always(faultstore.Fault{LoseReply: true}, faultstore.OpAtomicPut))
		refusedWith(ctx, t, one, claimFor("a"), faultstore.ErrInjected)
	})
}

func TestClaimThatWasGivenUpAndRenewedIsWaitedFor(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		shared := memory.New()
		kv := faultstore.New(shared)
		c, other := NewClaims(kv, key), NewClaims(shared, key)
		kv.SetPlan(func(call faultstore.Call) faultstore.Fault {
			if call.Op == faultstore.OpAtomicPut {
				return faultstore.Fault{LoseReply: true}
			}
			return faultstore.Fault{Err: map[bool]error{true: faultstore.ErrInjected}[call.Seq > 1]}
		})
		refusedWith(ctx, t, c, claimFor("a"), faultstore.ErrInjected)
		kv.SetPlan(nil)
		if got := claimed(ctx, t, other, claimFor("a")); !got.Won {
			t.Fatalf("a got %+v at the other server", got)
		}
		if got := claimed(ctx, t, c, claimFor("b")); got.Won || got.Wait != ttl {
			t.Errorf("b got %+v", got)
		}
	})
}

func TestClaimThatWasGivenUpAndIsPutBackIsWaitedFor(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		shared := memory.New()
		kv := faultstore.New(shared)
		c, other := NewClaims(kv, key), NewClaims(shared, key)
		var value []byte
		kv.SetPlan(func(call faultstore.Call) faultstore.Fault {
			if call.Op == faultstore.OpAtomicPut {
				return faultstore.Fault{LoseReply: true}
			}
			return faultstore.Fault{Err: map[bool]error{true: faultstore.ErrInjected}[call.Seq > 1]}
		})
		refusedWith(ctx, t, c, claimFor("a"), faultstore.ErrInjected)
		kv.SetPlan(nil)
		pair, err := shared.Get(ctx, key, nil)
		if err != nil {
			t.Fatal(err)
		}
		value = pair.Value
		if got := claimed(ctx, t, other, claimFor("a")); !got.Won {
			t.Fatalf("a got %+v at the other server", got)
		}
		if got := claimed(ctx, t, c, claimFor("b")); got.Won {
			t.Fatalf("b got %+v", got)
		}
		if err := shared.Put(ctx, key, value, nil); err != nil {
			t.Fatal(err)
		}
		if got := claimed(ctx, t, c, claimFor("b")); got.Won || got.Wait != ttl {
			t.Errorf("b got %+v while a may lead", got)
		}
	})
}

func TestRecordThatVanishedCountsAsHeldForClaims(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewClaims(kv, key)
		first := claimed(ctx, t, c, claimFor("a"))
		time.Sleep(ttl / 2)
		if err := kv.Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
		renewal := claimFor("a")
		renewal.Token = first.Term.Token
		refusedWith(ctx, t, c, renewal, ErrLost)
		if got := claimed(ctx, t, c, claimFor("b")); got.Won || got.Wait != ttl || got.Term.Leader != "" {
			t.Errorf("b got %+v", got)
		}
		time.Sleep(ttl)
		if got := claimed(ctx, t, c, claimFor("b")); !got.Won || got.Term.Token <= first.Term.Token {
			t.Errorf("b got %+v", got)
		}
	})
}

func TestForeignRecordIsNotClaimed(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewClaims(kv, key)
		for _, value := range []string{"mine", `{"v":2}`, `{"v":1,"kind":"election","leader":"x","instance":"y","token":4611686018427387903,"ttl":1000,"beat":1,"since":"2026-01-02T03:04:05Z"}`} {
			if err := kv.Put(ctx, key, []byte(value), nil); err != nil {
				t.Fatal(err)
			}
			refusedWith(ctx, t, c, claimFor("a"), ErrForeignRecord)
			_ = c.Resign(ctx, instanceA, 0, 0)
			if pair, err := kv.Get(ctx, key, nil); err != nil || string(pair.Value) != value {
				t.Errorf("%s became %+v, %v", value, pair, err)
			}
		}
	})
}

func TestStoreThatDoesNotKeepItsIndexesIsRefusedByClaims(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		unsafe := &standin.Store{Store: kv, OnGet: withoutIndex(kv)}
		unsafe.OnPut = func(ctx context.Context, key string, value []byte, _ *store.KVPair) (bool, *store.KVPair, error) {
			if err := kv.Put(ctx, key, value, nil); err != nil {
				return false, nil, err
			}
			pair, err := kv.Get(ctx, key, nil)
			return true, pair, err
		}
		c := NewClaims(unsafe, key)
		for range 3 {
			refusedWith(ctx, t, c, claimFor("a"), ErrUnsafeStore)
		}
	})
}

func TestClaimsDoNotPileUpOnAStoreThatHangs(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New())
		kv.IgnoreContexts(true)
		c := NewClaims(kv, key)
		kv.Partition()
		for range 20 {
			began := time.Now()
			refusedWith(ctx, t, c, claimFor("a"), context.DeadlineExceeded)
			if took := time.Since(began); took > ttl {
				t.Errorf("it took %v", took)
			}
		}
		if calls := kv.Calls(faultstore.OpGet); calls != 1 {
			t.Errorf("%d calls hang", calls)
		}
		_ = kv.Close()
	})
}

func TestManyWhoAskAtOnceShareReads(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		shared := memory.New()
		kv := faultstore.New(shared, faultstore.WithPlan(faultstore.Always(faultstore.Fault{Before: ttl / 100})))
		c := NewClaims(kv, key)
		done := make(chan Claimed, 100)
		for i := range cap(done) {
			go func() {
				time.Sleep(time.Duration(i)) // in some order
				got, err := c.Claim(ctx, Claim{Node: "n", TTL: ttl})
				if err != nil {
					t.Error(err)
				}
				done <- got
			}()
		}
		won := 0
		for range cap(done) {
			if got := <-done; got.Won {
				won++
			} else if got.Term.Leader != "n" {
				t.Errorf("one got %+v", got)
			}
		}
		if reads := kv.Calls(faultstore.OpGet); won != 1 || reads > 3 {
			t.Errorf("%d have won, after %d reads", won, reads)
		}
		// A later caller is told what is the case by then.
		other := NewClaims(shared, key)
		time.Sleep(ttl)
		claimed(ctx, t, other, claimFor("b"))
		time.Sleep(ttl)
		if got := claimed(ctx, t, other, claimFor("b")); !got.Won {
			t.Fatalf("b got %+v", got)
		}
		if got := claimed(ctx, t, c, claimFor("a")); got.Term.Leader != "b" {
			t.Errorf("a got %+v", got)
		}
	})
}

func TestCopyOfAHolderLosesItsTermToTheOther(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New())
		c, other := NewClaims(kv, key), NewClaims(kv, key)
		first := claimed(ctx, t, c, claimFor("a"))
		renewal := claimFor("a")
		renewal.Token, renewal.Beat = first.Term.Token, first.Beat
		twin := renewal
		renewal.Beat = claimed(ctx, t, c, renewal).Beat
		for _, server := range []*Claims{c, other} {
			if got, err := server.Claim(ctx, twin); !errors.Is(err, ErrLost) || got.Beat != renewal.Beat {
				t.Errorf("the copy is told %+v, %v, after beat %d", got, err, renewal.Beat)
			}
			if err := server.Resign(ctx, twin.Instance, 0, twin.Beat); !errors.Is(err, ErrLost) {
				t.Errorf("the copy resigns: %v", err)
			}
		}
		// Not so what this very call has written, nor what a stale server knows.
		kv.SetPlan(every(2))
		renewal.Beat = claimed(ctx, t, c, renewal).Beat
		renewal.Beat = claimed(ctx, t, other, renewal).Beat
		kv.SetPlan(nil)
		twin.Beat = 0
		twin.Beat = claimed(ctx, t, c, twin).Beat
		refusedWith(ctx, t, other, renewal, ErrLost)
		if err := other.Resign(ctx, twin.Instance, twin.Token, twin.Beat); err != nil {
			t.Error(err)
		}
		if rec := stored(t, kv); rec.Held() {
			t.Errorf("the record is %+v", rec)
		}
	})
}
