package leadership

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/register"
	"github.com/seed-a1d591d3/leadership/internal/standin"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestRoundElectsExactlyOne(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		var won atomic.Int32
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				r := NewRound(kv, "sys", "1", fmt.Sprint("node-", i))
				for range 3 { // asked again, the answer is the same
					ok, err := r.Elect(ctx)
					if err != nil {
						t.Error(err)
					}
					if ok {
						won.Add(1)
					}
				}
			})
		}
		all.Wait()
		if won.Load() != 3 {
			t.Errorf("%d answers of 600 say won, want the 3 of one node", won.Load())
		}
		if _, err := kv.Get(ctx, "sys/1", nil); err != nil {
			t.Error(err)
		}
	})
}

func TestRoundIsWonOnlyByAWriteThatWasAcknowledged(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		lossy := faultstore.New(kv, faultstore.WithPlan(faultstore.Always(faultstore.Fault{LoseReply: true}, faultstore.OpAtomicPut)))
		r := NewRound(lossy, "sys", "1", "a")
		if won, err := r.Elect(ctx); won || !errors.Is(err, faultstore.ErrInjected) {
			t.Errorf("got %v, %v", won, err)
		}
		if err := kv.Delete(ctx, "sys/1"); err != nil {
			t.Fatal(err)
		}
		lossy.SetPlan(every(2))
		if won, err := r.Elect(ctx); !won || err != nil {
			t.Errorf("got %v, %v", won, err)
		}
		if n := lossy.Calls(faultstore.OpAtomicPut); n != 5 {
			t.Errorf("%d writes, want 3 in vain and 2", n)
		}
		lossy.SetPlan(faultstore.Always(faultstore.Fault{LoseReply: true}, faultstore.OpAtomicPut))
		if won, err := NewRound(kv, "sys", "1", "b").Elect(ctx); won || err != nil {
			t.Errorf("the next got %v, %v", won, err)
		}
		if err := r.Complete(ctx); !errors.Is(err, faultstore.ErrInjected) {
			t.Errorf("completing without a reply: %v", err)
		}
		if err := r.Complete(ctx); !errors.Is(err, faultstore.ErrInjected) {
			t.Errorf("completing again, what was read back: %v", err)
		}
		lossy.SetPlan(nil)
		for range 2 {
			if err := r.Complete(ctx); err != nil {
				t.Errorf("completing once more: %v", err)
			}
		}
		if n := lossy.Calls(faultstore.OpAtomicPut); n != 5+2*register.Tries+1 {
			t.Errorf("%d writes", n)
		}
	})
}

func TestRoundIsElectedThoughItsFirstWritesFail(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New(), faultstore.WithPlan(func(c faultstore.Call) faultstore.Fault {
			if c.Op == faultstore.OpAtomicPut && c.Seq < register.Tries {
				return faultstore.Fault{Err: faultstore.ErrInjected}
			}
			return faultstore.Fault{}
		}))
		if won, err := NewRound(kv, "sys", "1", "a").Elect(ctx); !won || err != nil {
			t.Errorf("got %v, %v", won, err)
		}
	})
}

func TestRoundDoesNotTellAWinnerWhenItCannotKnow(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New())
		kv.Refuse()
		r := NewRound(kv, "sys", "1", "a")
		if won, err := r.Elect(ctx); won || !errors.Is(err, store.ErrNotReachable) || !strings.Contains(err.Error(), "sys/1") {
			t.Errorf("got %v, %v", won, err)
		}
		kv.Heal()
		if won, err := r.Elect(ctx); !won || err != nil {
			t.Errorf("after it healed: %v, %v", won, err)
		}
	})
}

func TestRoundIsCompletedByItsWinnerOnly(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a, b := NewRound(kv, "sys", "1", "a"), NewRound(kv, "sys", "1", "b")
		if err := a.Complete(ctx); !errors.Is(err, ErrNotElected) {
			t.Errorf("completed without an election: %v", err)
		}
		for _, get := range []func(context.Context) (string, error){a.Elected, a.Completed} {
			if who, err := get(ctx); who != "" || err != nil {
				t.Errorf("before the election: %q, %v", who, err)
			}
		}
		if won, err := a.Elect(ctx); !won || err != nil {
			t.Fatal(won, err)
		}
		if who, err := b.Elected(ctx); who != "a" || err != nil {
			t.Errorf("elected: %q, %v", who, err)
		}
		if err := b.Complete(ctx); !errors.Is(err, ErrNotElected) || !strings.Contains(err.Error(), `"a"`) {
			t.Errorf("completed by a loser: %v", err)
		}
		for range 2 {
			if err := a.Complete(ctx); err != nil {
				t.Errorf("completed by the winner: %v", err)
			}
		}
		if who, err := b.Completed(ctx); who != "a" || err != nil {
			t.Errorf("completed: %q, %v", who, err)
		}
		if err := b.Complete(ctx); !errors.Is(err, ErrCompletedByOther) || !strings.Contains(err.Error(), `"a"`) {
			t.Errorf("completed by a loser after the winner: %v", err)
		}
	})
}

func TestAwaitReturnsWhenTheRoundIsCompleted(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		for _, watch := range []bool{true, false} {
			kv := memory.New()
			view := faultstore.New(kv)
			view.MuteWatches(!watch)
			awaited := make(chan string, 1)
			go func() {
				who, err := NewRound(view, "sys", "1", "b").Await(ctx)
				if err != nil {
					t.Error(err)
				}
				awaited <- who
			}()
			time.Sleep(time.Minute)
			a := NewRound(kv, "sys", "1", "a")
			if won, err := a.Elect(ctx); !won || err != nil {
				t.Fatal(won, err)
			}
			time.Sleep(time.Minute)
			start := time.Now()
			if err := a.Complete(ctx); err != nil {
				t.Fatal(err)
			}
			if who := <-awaited; who != "a" {
				t.Errorf("completed by %q", who)
			}
			if took := time.Since(start); watch && took > 0 || took > DefaultPollInterval {
				t.Errorf("returned after %v", took)
			}
		}
	})
}

func TestAwaitOutlastsTheStoreAndEndsWithItsContext(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New())
		kv.Refuse()
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		start := time.Now()
		_, err := NewRound(kv, "sys", "1", "b").Await(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, store.ErrNotReachable) || time.Since(start) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestDoRunsTheJobOnce(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a, b := NewRound(kv, "sys", "1", "a"), NewRound(kv, "sys", "1", "b")
		ran := 0
		failure := errors.New("disk full")
		if won, err := a.Do(ctx, func(context.Context) error { ran++; return failure }); !won || !errors.Is(err, failure) {
			t.Errorf("a job that fails: %v, %v", won, err)
		}
		if who, _ := b.Completed(ctx); who != "" {
			t.Errorf("completed by %q", who)
		}
		job := func(context.Context) error { ran++; return nil }
		if won, err := b.Do(ctx, job); won || err != nil {
			t.Errorf("a loser: %v, %v", won, err)
		}
		for range 3 {
			if won, err := a.Do(ctx, job); !won || err != nil {
				t.Errorf("the winner: %v, %v", won, err)
			}
		}
		if ran != 2 {
			t.Errorf("the job ran %d times, want the failure and one success", ran)
		}
		if who, _ := b.Completed(ctx); who != "a" {
			t.Errorf("completed by %q", who)
		}
	})
}

func TestRoundDoesNotPileUpCallsOnAStoreThatHangs(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New())
		kv.IgnoreContexts(true)
		kv.Partition()
		r := NewRound(kv, "sys", "1", "a")
		for range 10 {
			start := time.Now()
			if won, err := r.Elect(ctx); won || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "sys/1") {
				t.Errorf("got %v, %v", won, err)
			}
			if took := time.Since(start); took > 2*DefaultCallTimeout {
				t.Errorf("took %v", took)
			}
		}
		if n := kv.Calls(faultstore.OpAtomicPut) + kv.Calls(faultstore.OpGet); n != 1 {
			t.Errorf("%d calls under way", n)
		}
		_ = kv.Close()
		synctest.Wait()
	})
}

func TestRoundRefusesForeignRecords(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		for _, value := range []string{
			"precious", `{"v":2,"kind":"round","winner":"a"}`, `{"v":1,"kind":"round","winner":"a"}`, `{"v":1}`, `{}`, "", string(election.Record{Token: 1}.Encode()),
		} {
			kv := memory.New()
			if err := kv.Put(ctx, "sys/1", []byte(value), nil); err != nil {
				t.Fatal(err)
			}
			r := NewRound(kv, "sys", "1", "a")
			_, elect := r.Elect(ctx)
			_, await := r.Await(ctx)
			for _, err := range []error{elect, await, r.Complete(ctx)} {
				if !errors.Is(err, ErrForeignRecord) || !strings.Contains(err.Error(), "sys/1") {
					t.Errorf("%q: %v", value, err)
				}
			}
			if pair, _ := kv.Get(ctx, "sys/1", nil); string(pair.Value) != value {
				t.Errorf("%q was overwritten by %q", value, pair.Value)
			}
		}
	})
}

func TestRoundRefusesAStoreWithoutCompareAndSwap(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		inner := memory.New()
		kv := &standin.Store{Store: inner, OnGet: withoutIndex(inner)}
		if won, err := NewRound(kv, "sys", "1", "a").Elect(ctx); won || !errors.Is(err, ErrUnsafeStore) {
			t.Errorf("got %v, %v", won, err)
		}
	})
}

func TestRoundRefusesBadArguments(t *testing.T) {
	kv := memory.New()
	long := strings.Repeat("x", 256)
	for name, bad := range map[string]struct {
		r    *Round
		says string
	}{
		"nil store":           {NewRound(nil, "sys", "1", "a"), "store"},
		"empty system":        {NewRound(kv, "", "1", "a"), "system"},
		"empty round":         {NewRound(kv, "sys", "", "a"), "round"},
		"empty node":          {NewRound(kv, "sys", "1", ""), "node"},
		"slash in the system": {NewRound(kv, "s/y", "1", "a"), `"s/y"`},
		"slash in the round":  {NewRound(kv, "sys", "1/2", "a"), `"1/2"`},
		"control character":   {NewRound(kv, "sys", "1\x00", "a"), `"1\x00"`},
		"dots":                {NewRound(kv, "..", "1", "a"), `".."`},
		"dot":                 {NewRound(kv, "sys", ".", "a"), `"."`},
		"long name":           {NewRound(kv, "sys", long, "a"), "255 bytes"},
		"no UTF-8":            {NewRound(kv, "sys", "\xff", "a"), "UTF-8"},
		"zero call timeout":   {NewRound(kv, "sys", "1", "a", nil, WithCallTimeout(0)), "call timeout"},
		"negative poll":       {NewRound(kv, "sys", "1", "a", WithPollInterval(-1)), "poll interval"},
	} {
		t.Run(name, func(t *testing.T) {
			_, elect := bad.r.Elect(t.Context())
			_, elected := bad.r.Elected(t.Context())
			_, completed := bad.r.Completed(t.Context())
			_, await := bad.r.Await(t.Context())
			_, do := bad.r.Do(t.Context(), func(context.Context) error { return nil })
			for _, err := range []error{elect, elected, bad.r.Complete(t.Context()), completed, await, do} {
				if !errors.Is(err, ErrInvalidArgument) || !strings.Contains(err.Error(), bad.says) {
					t.Errorf("got %v", err)
				}
			}
		})
	}
	if _, err := NewRound(kv, "sys", "1", "a").Do(t.Context(), nil); !errors.Is(err, ErrInvalidArgument) {
		t.Errorf("nil work: %v", err)
	}
	//nolint:staticcheck // A nil context is the mistake that is tested.
	if _, err := NewRound(kv, "sys", "1", "a").Elect(nil); !errors.Is(err, ErrInvalidArgument) {
		t.Errorf("nil context: %v", err)
	}
	//nolint:staticcheck // As above.
	if _, err := NewRound(kv, "sys", "1", "a").Await(nil); !errors.Is(err, ErrInvalidArgument) {
		t.Errorf("nil context: %v", err)
	}
}
