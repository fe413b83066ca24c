package leadership

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/standin"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// gone fails the test unless there is nothing under key.
func gone(t *testing.T, kv store.Store) {
	t.Helper()
	if _, err := kv.Get(t.Context(), key, nil); !errors.Is(err, store.ErrKeyNotFound) {
		t.Errorf("the record is not gone: %v", err)
	}
}

func TestVacantElectionIsForgottenAtOnce(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a := NewCandidate(kv, key, "a", ttl)
		stream, _ := a.RunForElection(ctx)
		synctest.Wait()
		token := stored(t, kv).Token
		a.Stop()
		for range stream {
		}
		began := time.Now()
		if err := Forget(ctx, kv, key); err != nil {
			t.Fatal(err)
		}
		gone(t, kv)
		if took := time.Since(began); took > time.Millisecond {
			t.Errorf("took %v", took)
		}
		if err := Forget(ctx, kv, key); !errors.Is(err, ErrNoElection) {
			t.Errorf("once more: %v, want ErrNoElection", err)
		}
		NewCandidate(kv, key, "b", ttl).RunForElection(ctx)
		synctest.Wait()
		if rec := stored(t, kv); rec.Leader != "b" || rec.Token <= token {
			t.Errorf("leader %q, token %d; the last was %d", rec.Leader, rec.Token, token)
		}
	})
}

func TestElectionThatIsHeldIsNotForgotten(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a := NewCandidate(kv, key, "a", ttl)
		a.RunForElection(ctx)
		synctest.Wait()
		for range 50 {
			if err := Forget(ctx, kv, key); !errors.Is(err, ErrHeld) {
				t.Fatalf("%v, want ErrHeld", err)
			}
		}
		hasty, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		if err := Forget(hasty, kv, key); !errors.Is(err, ErrHeld) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want ErrHeld and why", err)
		}
		slow := &standin.Store{Store: kv}
		looks := 0
		slow.OnGet = func(ctx context.Context, key string) (*store.KVPair, error) {
			if looks++; looks > 1 {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return kv.Get(ctx, key, nil)
		}
		hasty, cancel = context.WithTimeout(ctx, ttl)
		defer cancel()
		if err := Forget(hasty, slow, key); !errors.Is(err, ErrHeld) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want ErrHeld, where the time ends within a call", err)
		}
		if !a.IsLeader() {
			t.Error("a was deposed")
		}
	})
}

func TestElectionOfACrashedLeaderIsForgottenAfterItsTTL(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		link := faultstore.New(kv)
		a := NewCandidate(link, key, "a", ttl)
		a.RunForElection(ctx)
		synctest.Wait()
		link.Partition()
		began := time.Now()
		if err := Forget(ctx, kv, key); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < ttl || took > ttl+ttl/10 || a.IsLeader() {
			t.Errorf("took %v, a leads: %v", took, a.IsLeader())
		}
		gone(t, kv)
		link.Heal()
		time.Sleep(5 * ttl)
		if !a.IsLeader() {
			t.Error("a does not lead again")
		}
	})
}

func TestElectionThatIsPausedIsNotForgotten(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		all := electorate(ctx, kv)
		if err := Ask(ctx, kv, key, Request{Action: Pause}); err != nil {
			t.Fatal(err)
		}
		if err := Forget(ctx, kv, key); !errors.Is(err, ErrPaused) {
			t.Errorf("%v, want ErrPaused", err)
		}
		time.Sleep(10 * ttl)
		if leader := sole(all); leader != "" {
			t.Errorf("%q leads", leader)
		}
	})
}

func TestForgetLeavesForeignValuesAlone(t *testing.T) {
	kv := memory.New()
	if _, _, err := kv.AtomicPut(t.Context(), key, []byte("theirs"), nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := Forget(t.Context(), kv, key); !errors.Is(err, ErrForeignRecord) {
		t.Errorf("%v, want ErrForeignRecord", err)
	}
	if pair, err := kv.Get(t.Context(), key, nil); err != nil || string(pair.Value) != "theirs" {
		t.Errorf("there is %v, %v", pair, err)
	}
}

// TestForgetDoesNotDeleteATermThatBegins has a candidate claim the seat between
// the look and the deletion.
func TestForgetDoesNotDeleteATermThatBegins(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		inner := memory.New()
		vacant := election.Record{Token: 7, Beat: 3}
		if _, _, err := inner.AtomicPut(ctx, key, vacant.Encode(), nil, nil); err != nil {
			t.Fatal(err)
		}
		a := NewCandidate(inner, key, "a", ttl)
		kv := &standin.Store{Store: inner}
		kv.OnGet = func(ctx context.Context, key string) (*store.KVPair, error) {
			pair, err := inner.Get(ctx, key, nil)
			if !a.IsLeader() {
				a.RunForElection(context.WithoutCancel(ctx))
				time.Sleep(time.Millisecond)
			}
			return pair, err
		}
		if err := Forget(ctx, kv, key); !errors.Is(err, ErrHeld) {
			t.Errorf("%v, want ErrHeld", err)
		}
		if !a.IsLeader() || stored(t, inner).Leader != "a" {
			t.Error("a does not lead")
		}
		a.Stop()
	})
}

func TestForgetToleratesALostReplyOfADeletion(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		vacant := election.Record{Token: 7, Beat: 3}
		if _, _, err := kv.AtomicPut(ctx, key, vacant.Encode(), nil, nil); err != nil {
			t.Fatal(err)
		}
		link := faultstore.New(kv)
		link.SetPlan(faultstore.Always(faultstore.Fault{LoseReply: true}, faultstore.OpAtomicDelete))
		if err := Forget(ctx, link, key); err != nil {
			t.Error(err)
		}
		gone(t, kv)
	})
}

// Its holder may lead on, and write it again.
func TestForgetWaitsForARecordThatVanishes(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		for name, again := range map[string]bool{"stays gone": false, "is written again": true} {
			kv := memory.New()
			link := faultstore.New(kv)
			held := election.Record{Leader: "a", Instance: instanceA, Token: 7, Millis: ttl.Milliseconds(), Beat: 1, Since: time.Now().UTC()}
			if err := kv.Put(ctx, key, held.Encode(), nil); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			time.AfterFunc(ttl/2, func() { _ = kv.Delete(ctx, key) })
			if again {
				held.Beat++
				time.AfterFunc(ttl, func() { _ = kv.Put(ctx, key, held.Encode(), nil) })
			}
			err := Forget(ctx, link, key)
			took := time.Since(began)
			switch {
			case link.Calls(faultstore.OpGet) > 40:
				t.Errorf("%s: %d looks", name, link.Calls(faultstore.OpGet))
			case again && !errors.Is(err, ErrHeld):
				t.Errorf("%s: %v, want ErrHeld", name, err)
			case !again && (err != nil || took < ttl*3/2 || took > ttl*2):
				t.Errorf("%s: %v after %v", name, err, took)
			}
		}
		kv := memory.New()
		if err := kv.Put(ctx, key, election.Record{Leader: "a", Instance: instanceA, Token: 7, Millis: ttl.Milliseconds(), Beat: 1, Since: time.Now().UTC()}.Encode(), nil); err != nil {
			t.Fatal(err)
		}
		hasty, cancel := context.WithTimeout(ctx, ttl)
		defer cancel()
		time.AfterFunc(ttl/2, func() { _ = kv.Delete(ctx, key) })
		if err := Forget(hasty, kv, key); !errors.Is(err, ErrHeld) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want ErrHeld and why", err)
		}
	})
}
