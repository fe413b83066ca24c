package leadership

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
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
		hand := &handClock{now: clock.System{}.Now()}
		kv := memory.New()
		suspended := &standIn{Store: kv}
		suspended.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
			hand.move(0, ttl/2)
			return kv.AtomicPut(ctx, key, value, previous, nil)
		}
		c := NewClaims(suspended, key, clock.Option(hand).(Option))
		if got := claimed(ctx, t, c, claimFor("a")); got.Trust != ttl*3/10 {
			t.Errorf("a may trust for %v", got.Trust)
		}
	})
}

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
		if err := c.Resign(ctx, instanceA, 0); err != nil {
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
		if err := c.Resign(ctx, instanceA, 0); err != nil {
			t.Error(err)
		}
		first := claimed(ctx, t, c, claimFor("a"))
		if err := c.Resign(ctx, instanceB, 0); err != nil {
			t.Error(err)
		}
		if err := c.Resign(ctx, instanceA, first.Term.Token-1); err != nil {
			t.Error(err)
		}
		if rec := stored(t, kv); rec.Leader != "a" {
			t.Fatalf("the record is %+v", rec)
		}
		kv.SetPlan(faultstore.Always(faultstore.Fault{LoseReply: true}, faultstore.OpAtomicPut))
		for range 2 {
			if err := c.Resign(ctx, instanceA, first.Term.Token); err != nil {
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
				if err := c.Resign(ctx, instanceA, 0); err != nil {
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
		if err := c.Resign(ctx, instanceA, 0); err != nil {
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
		if err := c.Resign(ctx, instanceA, 0); err != nil {
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
		for range 20 { // whoever leads goes on
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
		if err := c.Resign(ctx, instanceA, 0); err != nil {
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
			_ = c.Resign(ctx, instanceA, 0)
			if pair, err := kv.Get(ctx, key, nil); err != nil || string(pair.Value) != value {
				t.Errorf("%s became %+v, %v", value, pair, err)
			}
		}
	})
}

func TestStoreThatDoesNotKeepItsIndexesIsRefusedByClaims(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		unsafe := &standIn{Store: kv, get: withoutIndex(kv)}
		unsafe.put = func(ctx context.Context, key string, value []byte, _ *store.KVPair) (bool, *store.KVPair, error) {
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

func TestArgumentsOfAClaimThatWillNotDo(t *testing.T) {
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
			if err := c.Resign(ctx, instanceA, 0); !errors.Is(err, ErrInvalidArgument) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if after := stored(t, kv); after.Beat != before.Beat {
			t.Errorf("the record went from %+v to %+v", before, after)
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
		// Whoever comes later is told what is the case by then.
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

func TestElectionsAreListed(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		if all, err := Elections(ctx, kv, "service/"); err != nil || len(all) != 0 {
			t.Errorf("%+v, %v", all, err)
		}
		claimed(ctx, t, NewClaims(kv, "service/z"), claimFor("a"))
		c := NewClaims(kv, "service/b")
		claimed(ctx, t, c, claimFor("b"))
		if err := c.Resign(ctx, instanceB, 0); err != nil {
			t.Fatal(err)
		}
		claimed(ctx, t, NewClaims(kv, "other/z"), claimFor("a"))
		if _, err := NewRound(kv, "service", "round", "a").Elect(ctx); err != nil {
			t.Fatal(err)
		}
		if err := kv.Put(ctx, "service/foreign", []byte("mine"), nil); err != nil {
			t.Fatal(err)
		}
		all, err := Elections(ctx, kv, "service/")
		if err != nil || len(all) != 2 || all[0].Key != "service/b" || all[1].Key != "service/z" {
			t.Fatalf("%+v, %v", all, err)
		}
		if b, z := all[0].Term, all[1].Term; b.Leader != "" || b.Last.Leader != "b" || z.Leader != "a" {
			t.Errorf("%+v", all)
		}
		if _, err := Elections(ctx, nil, ""); !errors.Is(err, ErrInvalidArgument) {
			t.Error(err)
		}
	})
}

func TestLookTellsHowTheElectionStands(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewClaims(kv, key)
		if s, err := c.Look(ctx); err != nil || s.Term.Leader != "" || s.Left != 0 || s.Key != key {
			t.Errorf("%+v, %v", s, err)
		}
		claimed(ctx, t, c, claimFor("a"))
		time.Sleep(ttl / 4)
		written(ctx, t, kv, Request{Action: Pause, Keep: true, By: "olga"})
		s, err := c.Look(ctx)
		if err != nil || s.Term.Leader != "a" || s.Left != ttl || s.Asked != (Request{Action: Pause, Keep: true, By: "olga"}) || s.AskedAt.IsZero() {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

func TestLeaderThatIsSilentDoesNotLeadThoughTheSeatIsHeldForAnother(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewClaims(kv, key)
		claimed(ctx, t, c, claimFor("a"))
		written(ctx, t, kv, Request{Action: Transfer, To: "b", Hold: time.Minute})
		if s, err := c.Look(ctx); err != nil || s.Left != ttl {
			t.Errorf("%+v, %v", s, err)
		}
		time.Sleep(ttl)
		if s, err := c.Look(ctx); err != nil || s.Left != 0 || s.Term.Leader != "a" {
			t.Errorf("%+v, %v", s, err)
		}
		if got := claimed(ctx, t, c, claimFor("c")); got.Won || got.Wait != time.Minute {
			t.Errorf("c got %+v", got)
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
