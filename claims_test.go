package leadership

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/clock/clocktest"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/standin"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// instanceA and instanceB are those of two holders.
const instanceA, instanceB = "instance-of-holder-a", "instance-of-holder-b"

// claimFor is what a node asks for, with an instance of its own.
func claimFor(node string) Claim {
	return Claim{Node: node, Instance: "instance-of-holder-" + node, TTL: ttl}
}

// claimed asks, and wants no error.
func claimed(ctx context.Context, t *testing.T, c *Claims, by Claim) Claimed {
	t.Helper()
	got, err := c.Claim(ctx, by)
	if err != nil {
		t.Fatal(err)
	}
	if got.Instance == "" || by.Instance != "" && got.Instance != by.Instance {
		t.Errorf("the instance of %q is %q", by.Instance, got.Instance)
	}
	if got.Won != (got.Trust > 0) || got.Won && got.Wait != 0 || got.Won && got.Term.Leader != by.Node {
		t.Errorf("%s got %+v", by.Node, got)
	}
	return got
}

// refusedWith fails the test unless a claim ends with an error.
func refusedWith(ctx context.Context, t *testing.T, c *Claims, by Claim, want error) {
	t.Helper()
	if got, err := c.Claim(ctx, by); !errors.Is(err, want) || got.Won || got.Trust != 0 {
		t.Errorf("%s got %+v, %v; want %v", by.Node, got, err, want)
	}
}

func TestHolderServedByServersInTurnKeepsOneTerm(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		servers := []*Claims{NewClaims(kv, key), NewClaims(kv, key), NewClaims(kv, key)}
		first := claimed(ctx, t, servers[0], Claim{Node: "a", TTL: ttl, Payload: []byte("here")})
		if !first.Won || first.Trust != ttl*4/5 || len(first.Instance) < 26 {
			t.Fatalf("a got %+v", first)
		}
		beat := stored(t, kv).Beat
		for i := range 100 {
			time.Sleep(ttl / 3)
			by := Claim{Node: "a", Instance: first.Instance, TTL: ttl}
			if i%2 == 0 {
				by.Token = first.Term.Token
			}
			got := claimed(ctx, t, servers[i%3], by)
			if !got.Won || got.Term.Token != first.Term.Token || !got.Term.Since.Equal(first.Term.Since) || string(got.Term.Payload) != "here" {
				t.Fatalf("renewal %d: %+v, and it was %+v", i, got, first)
			}
			rec := stored(t, kv)
			if rec.Beat <= beat {
				t.Errorf("the beat went from %d to %d", beat, rec.Beat)
			}
			beat = rec.Beat
			if rival := claimed(ctx, t, servers[(i+1)%3], claimFor("b")); rival.Won || rival.Term.Leader != "a" || rival.Wait != ttl {
				t.Fatalf("b got %+v", rival)
			}
		}
	})
}

func TestRivalTakesARecordThatItsServerHasSeenUnchangedForTheTTL(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		one, two := NewClaims(kv, key), NewClaims(kv, key)
		first := claimed(ctx, t, one, claimFor("a"))
		time.Sleep(ttl / 2)
		// Server two sees the record only now.
		if got := claimed(ctx, t, two, claimFor("b")); got.Won || got.Wait != ttl {
			t.Fatalf("b got %+v at two", got)
		}
		if got := claimed(ctx, t, one, claimFor("b")); got.Won || got.Wait != ttl/2 {
			t.Fatalf("b got %+v at one", got)
		}
		time.Sleep(ttl/2 - 1)
		if got := claimed(ctx, t, one, claimFor("b")); got.Won || got.Wait != 1 {
			t.Fatalf("b got %+v before the TTL was over", got)
		}
		time.Sleep(time.Nanosecond)
		if got := claimed(ctx, t, two, claimFor("b")); got.Won || got.Wait != ttl/2 {
			t.Fatalf("b got %+v at two", got)
		}
		got := claimed(ctx, t, one, claimFor("b"))
		if !got.Won || got.Term.Token <= first.Term.Token || got.Term.Last != (Ending{"a", first.Term.Token, "expired"}) {
			t.Fatalf("b got %+v", got)
		}
		refusedWith(ctx, t, two, Claim{Node: "a", Instance: instanceA, Token: first.Term.Token, TTL: ttl}, ErrLost)
		if got := claimed(ctx, t, two, claimFor("a")); got.Won || got.Term.Leader != "b" {
			t.Errorf("a got %+v", got)
		}
	})
}

func TestTrustOfAClaimIsCountedFromBeforeItWasHandled(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New())
		c := NewClaims(kv, key, WithMargin(ttl/10), WithGrace(ttl/10))
		for i, took := range []time.Duration{0, ttl / 10, ttl / 5, 0} {
			kv.SetPlan(faultstore.Always(faultstore.Fault{Before: took / 2, After: took / 2}, faultstore.OpAtomicPut))
			began := time.Now()
			got := claimed(ctx, t, c, claimFor("a"))
			if end := began.Add(ttl * 8 / 10); !time.Now().Add(got.Trust).Equal(end) {
				t.Errorf("claim %d took %v, and is trusted until %v after it was asked for", i, time.Since(began), time.Now().Add(got.Trust).Sub(began))
			}
		}
		// Each answer of the store came in time, and all of them too late.
		kv.SetPlan(faultstore.Always(faultstore.Fault{Before: ttl * 45 / 100}))
		began := time.Now()
		refusedWith(ctx, t, NewClaims(kv, key), claimFor("a"), context.DeadlineExceeded)
		if took := time.Since(began); took > ttl*4/5 {
			t.Errorf("it took %v to say that it took too long", took)
		}
	})
}

func TestTrustOfAClaimCountsSleep(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		hand := clocktest.At(clock.System{}.Now())
		kv := memory.New()
		suspended := &standin.Store{Store: kv}
		suspended.OnPut = func(ctx context.Context, key string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
			hand.Move(0, ttl/2)
			return kv.AtomicPut(ctx, key, value, previous, nil)
		}
		c := NewClaims(suspended, key, clock.Option(hand).(Option))
		if got := claimed(ctx, t, c, claimFor("a")); got.Trust != ttl*3/10 {
			t.Errorf("a may trust for %v", got.Trust)
		}
	})
}

func TestTermThatHasRunOutStaysOverWhateverIsAddedToItsRecord(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewClaims(kv, key)
		first := claimed(ctx, t, c, claimFor("a"))
		time.Sleep(ttl)
		renewal := claimFor("a")
		renewal.Token = first.Term.Token
		refusedWith(ctx, t, c, renewal, ErrLost)
		written(ctx, t, kv, Request{Action: Pause, Keep: true})
		refusedWith(ctx, t, c, renewal, ErrLost)
		refusedWith(ctx, t, c, renewal, ErrLost)
	})
}

func TestTermThatCannotBeTrustedHereIsNotRenewed(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		first := claimed(ctx, t, NewClaims(kv, key), claimFor("a"))
		before := stored(t, kv)
		by := claimFor("a")
		by.TTL, by.Token = 4*ttl, first.Term.Token
		refusedWith(ctx, t, NewClaims(kv, key, WithMargin(2*ttl)), by, ErrInvalidArgument)
		if after := stored(t, kv); after.Beat != before.Beat {
			t.Errorf("it was renewed: %+v", after)
		}
	})
}

func TestPayloadOfAClaimIsCopied(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewClaims(kv, key)
		by := claimFor("a")
		by.Payload = []byte("here")
		claimed(ctx, t, c, by)
		claimed(ctx, t, c, by) // takes the store at its word
		copy(by.Payload, "lost")
		by.Payload = nil // as it was
		if got := claimed(ctx, t, c, by); string(got.Term.Payload) != "here" || string(stored(t, kv).Payload) != "here" {
			t.Errorf("%q", got.Term.Payload)
		}
	})
}

func TestRenewalKeepsTheTTLOfItsTerm(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewClaims(kv, key)
		claimed(ctx, t, c, claimFor("a"))
		for _, other := range []time.Duration{0, MinTTL, time.Hour} {
			by := claimFor("a")
			by.TTL = other
			if got := claimed(ctx, t, c, by); got.Term.TTL != ttl || got.Trust != ttl*4/5 {
				t.Errorf("a renewal with a TTL of %v got %+v", other, got)
			}
		}
	})
}

func TestTermThatIsOverIsNotRenewed(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewClaims(kv, key)
		first := claimed(ctx, t, c, claimFor("a"))
		renewal := claimFor("a")
		renewal.Token = first.Term.Token
		time.Sleep(ttl)
		refusedWith(ctx, t, c, renewal, ErrLost)
		// Without a token it is a new term.
		second := claimed(ctx, t, c, claimFor("a"))
		if !second.Won || second.Term.Token <= first.Term.Token || second.Term.Last.Reason != "expired" {
			t.Errorf("a got %+v after %+v", second, first)
		}
		refusedWith(ctx, t, c, renewal, ErrLost)
		renewal.Token = second.Term.Token
		claimed(ctx, t, c, renewal)
		// A server that has seen only the term before must look again.
		other := NewClaims(kv, key)
		claimed(ctx, t, other, renewal)
		if err := c.Resign(ctx, instanceA, 0, 0); err != nil {
			t.Fatal(err)
		}
		third := claimed(ctx, t, c, claimFor("a"))
		renewal.Token = third.Term.Token
		if got := claimed(ctx, t, other, renewal); !got.Won || got.Term.Token != third.Term.Token {
			t.Errorf("a got %+v", got)
		}
	})
}

func TestResignGivesUpTheSeatOfItsInstanceAlone(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New())
		c := NewClaims(kv, key)
		if err := c.Resign(ctx, instanceA, 0, 0); err != nil {
			t.Error(err)
		}
		first := claimed(ctx, t, c, claimFor("a"))
		if err := c.Resign(ctx, instanceB, 0, 0); err != nil {
			t.Error(err)
		}
		if err := c.Resign(ctx, instanceA, first.Term.Token-1, 0); err != nil {
			t.Error(err)
		}
		if rec := stored(t, kv); rec.Leader != "a" {
			t.Fatalf("the record is %+v", rec)
		}
		kv.SetPlan(faultstore.Always(faultstore.Fault{LoseReply: true}, faultstore.OpAtomicPut))
		for range 2 {
			if err := c.Resign(ctx, instanceA, first.Term.Token, 0); err != nil {
				t.Error(err)
			}
		}
		kv.SetPlan(nil)
		if rec := stored(t, kv); rec.Held() || rec.Last == nil || *rec.Last != (election.Ending{Leader: "a", Token: first.Term.Token, Reason: election.Resigned}) {
			t.Errorf("the record is %+v", rec)
		}
		if got := claimed(ctx, t, c, claimFor("b")); !got.Won {
			t.Errorf("b got %+v", got)
		}
	})
}

func TestClaimsHoldBackForPreferredCandidates(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewClaims(kv, key)
		claimed(ctx, t, c, claimFor("a"))
		preferred := NewCandidate(kv, key, "p", ttl, WithPriority(1))
		preferred.RunForElection(ctx)
		for range 20 { // it waits to see the leader renew
			time.Sleep(ttl / 3)
			claimed(ctx, t, c, claimFor("a"))
		}
		if stands, err := c.Look(ctx); err != nil || !slices.Equal(stands.Waiting, []Waiting{{"p", 1}}) {
			t.Fatalf("it stands %+v, %v", stands, err)
		}
		if err := c.Resign(ctx, instanceA, 0, 0); err != nil {
			t.Fatal(err)
		}
		if got := claimed(ctx, t, c, claimFor("b")); got.Won {
			t.Errorf("b got %+v", got)
		}
		synctest.Wait()
		if !preferred.IsLeader() {
			t.Error("the preferred candidate does not lead")
		}
		if stands, err := c.Look(ctx); err != nil || stands.Term.Leader != "p" || stands.Term.Last.Leader != "a" {
			t.Errorf("it stands %+v, %v", stands, err)
		}
	})
}

func TestClaimRefusesInvalidArguments(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewClaims(kv, key)
		claimed(ctx, t, c, claimFor("a"))
		before := stored(t, kv)
		for what, by := range map[string]Claim{
			"no node":                 {TTL: ttl},
			"a node that is no UTF-8": {Node: "\xff", TTL: ttl},
			"a short TTL":             {Node: "a", TTL: MinTTL - 1},
			"a TTL below 0":           {Node: "a", TTL: -1},
			"a long TTL":              {Node: "a", TTL: MaxTTL + 1},
			"a token alone":           {Node: "a", TTL: ttl, Token: 1},
			"a short instance":        {Node: "a", TTL: ttl, Instance: "short"},
			"a long instance":         {Node: "a", TTL: ttl, Instance: strings.Repeat("x", maxInstance+1)},
			"a large payload":         {Node: "a", TTL: ttl, Payload: make([]byte, MaxPayload+1)},
			"another's instance":      {Node: "b", TTL: ttl, Instance: instanceA},
		} {
			if _, err := c.Claim(ctx, by); !errors.Is(err, ErrInvalidArgument) {
				t.Errorf("%s: %v", what, err)
			}
		}
		for what, c := range map[string]*Claims{"no store": NewClaims(nil, key), "no key": NewClaims(kv, "")} {
			if _, err := c.Claim(ctx, claimFor("a")); !errors.Is(err, ErrInvalidArgument) {
				t.Errorf("%s: %v", what, err)
			}
			if _, err := c.Look(ctx); !errors.Is(err, ErrInvalidArgument) {
				t.Errorf("%s: %v", what, err)
			}
			if err := c.Resign(ctx, instanceA, 0, 0); !errors.Is(err, ErrInvalidArgument) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if after := stored(t, kv); after.Beat != before.Beat {
			t.Errorf("the record went from %+v to %+v", before, after)
		}
	})
}

func TestRenewalByTokenNeedsNoTTL(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		c := NewClaims(memory.New(), key, WithMargin(DefaultTTL+time.Second))
		long := claimFor("a")
		long.TTL = time.Minute
		first := claimed(ctx, t, c, long)
		got := claimed(ctx, t, c, Claim{Node: "a", Instance: first.Instance, Token: first.Term.Token})
		if want := time.Minute - DefaultTTL - time.Second; got.Term.TTL != time.Minute || got.Trust != want {
			t.Errorf("got %+v, want it to trust for %v", got, want)
		}
	})
}

// A record with a token far ahead was written by hand, and is gone: it does not keep
// the terms that come after it from being renewed.
func TestTermThatRanOutOutlivesNotItsRecord(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		one, two := NewClaims(kv, key), NewClaims(kv, key)
		far := election.Record{Leader: "a", Instance: instanceA, Token: election.MaxToken / 2, Millis: ttl.Milliseconds(), Since: time.UnixMilli(1).UTC()}
		if err := kv.Put(ctx, key, far.Encode(), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := one.Look(ctx); err != nil {
			t.Fatal(err)
		}
		time.Sleep(ttl)
		late := claimFor("a")
		late.Token = far.Token
		refusedWith(ctx, t, one, late, ErrLost)
		if err := kv.Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
		got := claimed(ctx, t, two, claimFor("b"))
		by := claimFor("b")
		by.Token = got.Term.Token
		if again := claimed(ctx, t, one, by); !again.Won || again.Term.Token != got.Term.Token {
			t.Errorf("renewed: %+v", again)
		}
	})
}
