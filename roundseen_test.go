package leadership

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/round"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestAttemptThatVanishesIsWaitedForByWhoeverHasSeenIt(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a, b := leased(kv, "a"), leased(kv, "b")
		elected(t, a, true)
		elected(t, b, false)
		time.Sleep(attemptTTL - 1)
		pair, err := kv.Get(ctx, "sys/1", nil)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := kv.AtomicDelete(ctx, "sys/1", pair); !ok || err != nil {
			t.Fatal(ok, err)
		}
		elected(t, b, false) // a may have asked again just before
		if s, err := b.State(ctx); s.Winner != "" || err != nil {
			t.Errorf("%+v, %v", s, err)
		}
		time.Sleep(attemptTTL - 1)
		elected(t, b, false)
		time.Sleep(1 * time.Nanosecond)
		elected(t, b, true)
		holds(t, b, 2, attemptTTL*4/5)
		if err := a.Complete(ctx); !errors.Is(err, ErrSuperseded) {
			t.Errorf("attempt 1 completes: %v", err)
		}
	})
}

func TestAttemptThatIsPutBackDoesNotShortenTheWaitForALaterOne(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a, b := NewRound(kv, "sys", "1", "a", WithAttemptTTL(attemptTTL/10)), leased(kv, "b")
		elected(t, a, true)
		elected(t, b, false)
		first, err := kv.Get(ctx, "sys/1", nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(attemptTTL / 10)
		elected(t, b, true)
		holds(t, b, 2, attemptTTL*4/5)
		c, d := leased(kv, "c"), leased(kv, "d")
		elected(t, a, false)
		elected(t, c, false)
		elected(t, d, false)
		if err := kv.Put(ctx, "sys/1", first.Value, nil); err != nil { // of attempt 1, of a short TTL
			t.Fatal(err)
		}
		for range 10 { // b may lead all the while
			elected(t, a, false)
			elected(t, c, false)
			time.Sleep(attemptTTL / 10)
		}
		elected(t, c, true)
		holds(t, c, 3, attemptTTL*4/5)
		elected(t, a, false)
		elected(t, d, false)
	})
}

func TestWhatIsSeenOfRoundsIsBounded(t *testing.T) {
	s := newObservations(3, 1)
	pair := func(i int) *store.KVPair { return &store.KVPair{LastIndex: uint64(i), Value: []byte("value")} }
	rec := round.Record{Winner: "a", Millis: 5, Attempt: 1}
	for i := range 10 {
		s.see(fmt.Sprint(i), pair(i), rec, 1, true)
		s.see("0", pair(0), rec, 2, true)
		if n := len(s.views.Keys()); n > 3 {
			t.Fatalf("%d remembered", n)
		}
	}
	if !s.knows("0") || s.knows("7") || !s.knows("9") {
		t.Error("it does not forget what was not looked at for longest")
	}
	// What is remembered keeps its time; what was forgotten begins anew.
	if v := s.see("0", pair(0), rec, 100, true); v.Expires() != 1+rec.TTL() {
		t.Errorf("expires at %v", v.Expires())
	}
	if v := s.see("1", pair(1), rec, 100, true); v.Expires() != 100+rec.TTL() {
		t.Errorf("expires at %v", v.Expires())
	}
	// A round that is over, or won for ever, is known without its record.
	rec.Completed = &round.Outcome{By: "a"}
	v := s.see("0", pair(11), rec, 101, true)
	known := s.knows("0")
	after := s.see("0", nil, round.Record{}, 102, false)
	if v.Pair == nil || !known || after.Gone().Held() {
		t.Error("it keeps a record that it has no use for")
	}
	if s.knows("0") {
		t.Error("it knows a round that was deleted")
	}
}

// A record was deleted, one who has never seen it has begun anew, and the winner of the
// attempt that is gone comes back.
func TestAttemptThatIsOverDoesNotEndOneThatBeganAfterIt(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a, b := leased(kv, "a"), leased(kv, "b")
		elected(t, a, true)
		elected(t, b, false)
		time.Sleep(attemptTTL)
		elected(t, b, true)
		if err := kv.Delete(ctx, "sys/1"); err != nil {
			t.Fatal(err)
		}
		c := leased(kv, "c")
		elected(t, c, true)
		holds(t, c, 1, attemptTTL*4/5)
		time.Sleep(attemptTTL)
		elected(t, c, true)
		elected(t, b, false) // its own is over
		holds(t, c, 1, attemptTTL*4/5)
		time.Sleep(attemptTTL)
		elected(t, b, true)
		holds(t, b, 3, attemptTTL*4/5)
	})
}

func TestWhoOnlyLooksHasNothingForgotten(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		rounds := NewRounds(kv)
		elected(t, leased(kv, "a"), true)
		b := rounds.Round("sys", "1", "b", WithAttemptTTL(attemptTTL))
		elected(t, b, false) // waits for a from now on
		for i := range maxRoundsSeen + 1 {
			name := fmt.Sprint("old-", i)
			elected(t, NewRound(kv, "sys", name, "x"), true)
			if s, err := rounds.Round("sys", name, "c").State(ctx); err != nil || s.Winner != "x" {
				t.Fatal(s, err)
			}
		}
		time.Sleep(attemptTTL)
		if _, err := rounds.Sweep(ctx, "sys", time.Hour); err != nil {
			t.Fatal(err)
		}
		elected(t, b, true)
	})
}

func TestAttemptThatNoneCanFollowIsForgottenOnceItIsGone(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		last := mustRound(round.Record{Winner: "x", Elected: time.UnixMilli(1).UTC(), Attempt: election.MaxToken - 1, Millis: attemptTTL.Milliseconds(), Mark: "b"})
		if err := kv.Put(ctx, "sys/1", last, nil); err != nil {
			t.Fatal(err)
		}
		r := leased(kv, "a")
		elected(t, r, false)
		time.Sleep(attemptTTL)
		if won, err := r.Elect(ctx); won || !errors.Is(err, ErrForeignRecord) {
			t.Errorf("got %v, %v", won, err)
		}
		if err := kv.Delete(ctx, "sys/1"); err != nil {
			t.Fatal(err)
		}
		elected(t, r, false)
		time.Sleep(attemptTTL)
		elected(t, r, true)
		holds(t, r, 1, attemptTTL*4/5)
	})
}
