package leadership

import (
	"context"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store/memory"
)

// backup returns what stands under the key, to be put back later.
func backup(t *testing.T, kv *memory.Store) (putBack func()) {
	t.Helper()
	pair, err := kv.Get(t.Context(), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := kv.Put(t.Context(), key, pair.Value, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// One that was never told of its term asks again as the same instance, with no token.
func TestTermThatIsPutBackIsNotRenewedBesideALaterOne(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewClaims(kv, key)
		first := claimed(ctx, t, c, claimFor("a"))
		putBack := backup(t, kv)
		claimed(ctx, t, c, claimFor("b"))
		time.Sleep(ttl)
		later := claimed(ctx, t, c, claimFor("b"))
		if !later.Won {
			t.Fatalf("b got %+v", later)
		}
		putBack()
		if got := claimed(ctx, t, c, claimFor("a")); got.Won || got.Wait != ttl {
			t.Errorf("a got %+v while b leads", got)
		}
		renewal := claimFor("a")
		renewal.Token = first.Term.Token
		refusedWith(ctx, t, c, renewal, ErrLost)
		time.Sleep(ttl)
		if got := claimed(ctx, t, c, claimFor("a")); !got.Won || got.Term.Token <= later.Term.Token {
			t.Errorf("a got %+v after term %d", got, later.Term.Token)
		}
	})
}

// Of the term that is put back the server has not known.
func TestTermThatIsPutBackIsNotRenewedWhileAnotherMayLead(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c, other := NewClaims(kv, key), NewClaims(kv, key)
		claimed(ctx, t, other, claimFor("a"))
		putBack := backup(t, kv)
		claimed(ctx, t, other, claimFor("b"))
		time.Sleep(ttl)
		claimed(ctx, t, other, claimFor("b"))
		if later := claimed(ctx, t, c, claimFor("b")); !later.Won {
			t.Fatalf("b got %+v", later)
		}
		putBack()
		if err := c.Resign(ctx, instanceA, 0, 0); err != nil || stored(t, kv).Leader != "a" { // or a newcomer would lead
			t.Errorf("%v, and a resigns while b leads: %+v", err, stored(t, kv))
		}
		for range 2 {
			if got := claimed(ctx, t, c, claimFor("a")); got.Won || got.Wait == 0 {
				t.Errorf("a got %+v while b leads", got)
			}
			time.Sleep(ttl*4/5 - 1) // then b's trust is over
		}
	})
}

func TestTermThatIsPutBackAfterALaterOneIsOver(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewClaims(kv, key)
		claimed(ctx, t, c, claimFor("a"))
		putBack := backup(t, kv)
		if err := c.Resign(ctx, instanceA, 0, 0); err != nil {
			t.Fatal(err)
		}
		later := claimed(ctx, t, c, claimFor("b"))
		if err := c.Resign(ctx, instanceB, 0, 0); err != nil || !later.Won {
			t.Fatalf("b got %+v, %v", later, err)
		}
		putBack()
		if got := claimed(ctx, t, c, claimFor("a")); got.Won || got.Wait != ttl {
			t.Errorf("a got %+v", got)
		}
		time.Sleep(ttl)
		if got := claimed(ctx, t, c, claimFor("a")); !got.Won || got.Term.Token <= later.Term.Token {
			t.Errorf("a got %+v after term %d", got, later.Term.Token)
		}
	})
}

func TestTermThatWasResignedAndIsPutBackIsOver(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewClaims(kv, key)
		first := claimed(ctx, t, c, claimFor("a"))
		putBack := backup(t, kv)
		if err := c.Resign(ctx, instanceA, first.Term.Token, 0); err != nil {
			t.Fatal(err)
		}
		putBack()
		if got := claimed(ctx, t, c, claimFor("a")); got.Won || got.Wait != ttl {
			t.Errorf("a got %+v", got)
		}
		time.Sleep(ttl)
		if got := claimed(ctx, t, c, claimFor("a")); !got.Won || got.Term.Token <= first.Term.Token {
			t.Errorf("a got %+v after term %d", got, first.Term.Token)
		}
	})
}

// Another server may issue a token below some that this one has seen.
func TestTermThatBeginsAfterARecordWasPutBackIsRenewed(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewClaims(kv, key)
		claimed(ctx, t, c, claimFor("a"))
		putBack := backup(t, kv)
		for range 3 { // so that tokens are used up which the other server will issue
			if err := c.Resign(ctx, instanceA, 0, 0); err != nil {
				t.Fatal(err)
			}
			claimed(ctx, t, c, claimFor("a"))
		}
		putBack()
		other := NewClaims(kv, key)
		if err := other.Resign(ctx, instanceA, 0, 0); err != nil {
			t.Fatal(err)
		}
		var err error
		for range 2 { // at first the last holder that c has seen may lead beside it
			again := claimed(ctx, t, other, claimFor("b"))
			if !again.Won {
				t.Fatalf("b got %+v", again)
			}
			renewal := claimFor("b")
			renewal.Token = again.Term.Token
			if _, err = c.Claim(ctx, renewal); err == nil {
				return
			}
			if err := other.Resign(ctx, instanceB, 0, 0); err != nil {
				t.Fatal(err)
			}
			time.Sleep(ttl)
		}
		t.Errorf("b is told %v", err)
	})
}
