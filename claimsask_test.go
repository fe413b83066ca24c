package leadership

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// written writes a request, and waits for nothing.
func written(ctx context.Context, t *testing.T, kv store.Store, r Request) {
	t.Helper()
	if err := r.check(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.write(ctx, kv, key); err != nil {
		t.Fatal(err)
	}
}

func TestHolderIsToldWhatAnOperatorAsks(t *testing.T) {
	for name, test := range map[string]struct {
		request Request
		want    error
		reason  election.Reason
	}{
		"resign":   {Request{Action: Resign, By: "olga"}, ErrEvicted, election.Evicted},
		"pause":    {Request{Action: Pause, By: "olga"}, ErrEvicted, election.Evicted},
		"transfer": {Request{Action: Transfer, To: "b", By: "olga"}, ErrTransferred, election.Transferred},
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, ctx context.Context) {
				kv := memory.New()
				c := NewClaims(kv, key)
				first := claimed(ctx, t, c, claimFor("a"))
				written(ctx, t, kv, test.request)
				before := stored(t, kv)
				refusedWith(ctx, t, c, claimFor("a"), test.want)
				if _, err := c.Claim(ctx, claimFor("a")); !strings.Contains(fmt.Sprint(err), `"olga"`) {
					t.Errorf("a is told %v", err)
				}
				// Its trust lasts: its work may go on until it resigns (S8).
				if rec := stored(t, kv); rec.Beat != before.Beat || !rec.Held() {
					t.Errorf("the record is %+v", rec)
				}
				if got, err := c.Claim(ctx, claimFor("b")); got.Won || err != nil && !errors.Is(err, ErrPaused) {
					t.Errorf("b got %+v, %v while a is trusted", got, err)
				}
				if err := c.Resign(ctx, instanceA, 0, 0); err != nil {
					t.Fatal(err)
				}
				if rec := stored(t, kv); rec.Held() || rec.Last == nil || *rec.Last != (election.Ending{Leader: "a", Token: first.Term.Token, Reason: test.reason}) {
					t.Errorf("the record is %+v", rec)
				}
			})
		})
	}
}

func TestHolderThatWasEvictedLeavesTheSeatToOthersForAWhile(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewClaims(kv, key)
		claimed(ctx, t, c, claimFor("a"))
		written(ctx, t, kv, Request{Action: Resign})
		if err := c.Resign(ctx, instanceA, 0, 0); err != nil {
			t.Fatal(err)
		}
		if got := claimed(ctx, t, c, claimFor("a")); got.Won || got.Wait != ttl/3 {
			t.Errorf("a got %+v", got)
		}
		time.Sleep(ttl / 3)
		if got := claimed(ctx, t, c, claimFor("a")); !got.Won {
			t.Errorf("a got %+v", got)
		}
	})
}

func TestHolderThatDoesNotObeyIsReplacedWhenItsRecordHasExpired(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewClaims(kv, key)
		claimed(ctx, t, c, claimFor("a"))
		written(ctx, t, kv, Request{Action: Resign})
		asked := time.Now()
		for {
			if time.Since(asked) < ttl {
				refusedWith(ctx, t, c, claimFor("a"), ErrEvicted)
			}
			if got := claimed(ctx, t, c, claimFor("b")); got.Won {
				break
			}
			time.Sleep(ttl / 10)
		}
		if took := time.Since(asked); took != ttl {
			t.Errorf("b leads %v after the request", took)
		}
	})
}

func TestSeatOfClaimsIsTransferredToTheNodeThatIsNamed(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewClaims(kv, key)
		claimed(ctx, t, c, claimFor("a"))
		done := make(chan error, 1)
		go func() { done <- Ask(ctx, kv, key, Request{Action: Transfer, To: "c", Hold: 5 * ttl}) }()
		synctest.Wait()
		refusedWith(ctx, t, c, claimFor("a"), ErrTransferred)
		if err := c.Resign(ctx, instanceA, 0, 0); err != nil {
			t.Fatal(err)
		}
		for _, node := range []string{"a", "b"} {
			if got := claimed(ctx, t, c, claimFor(node)); got.Won || got.Wait != 5*ttl {
				t.Errorf("%s got %+v", node, got)
			}
		}
		if got := claimed(ctx, t, c, claimFor("c")); !got.Won {
			t.Errorf("c got %+v", got)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if rec := stored(t, kv); rec.Ask != nil {
			t.Errorf("the record goes on asking %+v", rec.Ask)
		}
	})
}

func TestNobodyClaimsDuringAPause(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewClaims(kv, key)
		claimed(ctx, t, c, claimFor("a"))
		written(ctx, t, kv, Request{Action: Pause, Keep: true})
		for range 20 { // the leader goes on
			time.Sleep(ttl / 3)
			claimed(ctx, t, c, claimFor("a"))
			refusedWith(ctx, t, c, claimFor("b"), ErrPaused)
		}
		time.Sleep(ttl)
		refusedWith(ctx, t, c, claimFor("a"), ErrPaused) // it was lost meanwhile
		refusedWith(ctx, t, c, claimFor("b"), ErrPaused)
		written(ctx, t, kv, Request{Action: Resume})
		time.Sleep(ttl)
		claimed(ctx, t, c, claimFor("b"))
		time.Sleep(ttl)
		if got := claimed(ctx, t, c, claimFor("b")); !got.Won {
			t.Errorf("b got %+v", got)
		}
	})
}
