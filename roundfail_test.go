package leadership

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestRoundThatHasFailedIsNotCompleted(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a, b := NewRound(kv, "sys", "1", "a"), NewRound(kv, "sys", "1", "b")
		if err := a.Fail(ctx, nil); !errors.Is(err, ErrNotElected) {
			t.Errorf("before anyone has won: %v", err)
		}
		elected(t, a, true)
		if err := b.Fail(ctx, nil); !errors.Is(err, ErrNotElected) {
			t.Errorf("by another: %v", err)
		}
		if err := a.Fail(ctx, make([]byte, MaxRoundResult+1)); !errors.Is(err, ErrInvalidArgument) {
			t.Errorf("with a result that is too long: %v", err)
		}
		for _, what := range []string{"exit code 1", "exit code 2"} {
			if err := a.Fail(ctx, []byte(what)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			s, err := b.State(ctx)
			if err != nil || s.Winner != "a" || s.Completer != "" || string(s.Failure) != what || time.Since(s.Failed) != time.Second {
				t.Errorf("got %+v, %v", s, err)
			}
			elected(t, b, false)
			elected(t, a, true)
		}
		all, err := NewRounds(kv).List(ctx, "sys")
		if err != nil || len(all) != 1 || string(all[0].Failure) != "exit code 2" {
			t.Errorf("listed %+v, %v", all, err)
		}
		if err := a.CompleteWith(ctx, []byte("done")); err != nil {
			t.Fatal(err)
		}
		if err := a.Fail(ctx, []byte("late")); err != nil {
			t.Errorf("after it was completed: %v", err)
		}
		s, err := b.State(ctx)
		if err != nil || s.Completer != "a" || string(s.Result) != "done" || !s.Failed.IsZero() || s.Failure != nil {
			t.Errorf("got %+v, %v", s, err)
		}
	})
}

// What a winner says of its attempt neither shortens nor lengthens it for itself.
func TestAttemptThatHasFailedIsSupersededNoSooner(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a, b := leased(kv, "a"), leased(kv, "b")
		elected(t, a, true)
		elected(t, b, false)
		time.Sleep(attemptTTL / 2)
		_, before := a.Attempt()
		if err := a.Fail(ctx, []byte("exit code 1")); err != nil {
			t.Fatal(err)
		}
		if _, left := a.Attempt(); left != before {
			t.Errorf("trusts for %v, not %v", left, before)
		}
		elected(t, b, false)
		time.Sleep(attemptTTL - time.Nanosecond)
		elected(t, b, false)
		time.Sleep(time.Nanosecond)
		elected(t, b, true)
		if err := a.Fail(ctx, nil); !errors.Is(err, ErrSuperseded) {
			t.Errorf("fail what is superseded: %v", err)
		}
		if s, err := b.State(ctx); err != nil || s.Attempt != 2 || !s.Failed.IsZero() {
			t.Errorf("got %+v, %v", s, err)
		}
	})
}

func TestFailureWhoseReplyIsLostIsWrittenOnceMore(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		elected(t, NewRound(kv, "sys", "1", "a"), true)
		lossy := faultstore.New(kv, faultstore.WithPlan(func(c faultstore.Call) faultstore.Fault {
			return faultstore.Fault{LoseReply: c.Op == faultstore.OpAtomicPut && c.Seq == 1}
		}))
		a := NewRound(lossy, "sys", "1", "a")
		if err := a.Fail(ctx, []byte("7")); err != nil {
			t.Error(err)
		}
		if n := lossy.Calls(faultstore.OpAtomicPut); n != 2 {
			t.Errorf("%d writes", n)
		}
		if s, err := a.State(ctx); err != nil || !bytes.Equal(s.Failure, []byte("7")) {
			t.Errorf("got %+v, %v", s, err)
		}
	})
}
