package leadership

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/standin"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// names are those of rounds, in their order.
func names(states []RoundState) string {
	all := []string{}
	for _, s := range states {
		all = append(all, s.System+"/"+s.Round)
	}
	return strings.Join(all, " ")
}

func TestRoundsListsASystemsRoundsLatestFirst(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		rounds := NewRounds(kv, nil)
		if got, err := rounds.List(ctx, "sys"); len(got) != 0 || err != nil {
			t.Errorf("%v, %v", got, err)
		}
		for _, name := range []string{"b", "a", "c"} {
			elected(t, rounds.Round("sys", name, "a"), true)
			time.Sleep(time.Second)
		}
		elected(t, rounds.Round("system", "1", "a"), true)
		for _, key := range []string{"sys/foreign", "sys/deeper/1", "sys"} {
			value := []byte("foreign")
			if key == "sys/deeper/1" {
				pair, err := kv.Get(ctx, "sys/a", nil)
				if err != nil {
					t.Fatal(err)
				}
				value = pair.Value
			}
			if err := kv.Put(ctx, key, value, nil); err != nil {
				t.Fatal(err)
			}
		}
		got, err := rounds.List(ctx, "sys")
		if want := "sys/c sys/a sys/b"; names(got) != want || err != nil {
			t.Errorf("%s, %v; want %s", names(got), err, want)
		}
		for _, bad := range []string{"", "a/b", ".."} {
			if _, err := rounds.List(ctx, bad); !errors.Is(err, ErrInvalidArgument) {
				t.Errorf("%q: %v", bad, err)
			}
		}
	})
}

func TestRoundsAreReadBeforeTheyAreWrittenOnceTheyAreKnown(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ context.Context) {
		kv := faultstore.New(memory.New())
		rounds := NewRounds(kv)
		elected(t, rounds.Round("sys", "0", "a"), true) // shows that the store compares and swaps
		calls := func() string {
			return fmt.Sprint(kv.Calls(faultstore.OpAtomicPut), kv.Calls(faultstore.OpGet))
		}
		if got := calls(); got != "1 1" {
			t.Errorf("the first: %s", got)
		}
		elected(t, rounds.Round("sys", "1", "a"), true)
		if got := calls(); got != "2 1" {
			t.Errorf("a new round takes more than a write: %s", got)
		}
		for range 10 {
			elected(t, rounds.Round("sys", "1", "b"), false)
		}
		if got := calls(); got != "2 11" {
			t.Errorf("a lost one takes more than a read: %s", got)
		}
	})
}

func TestSweepDeletesOldRoundsAlone(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		rounds := NewRounds(kv)
		elected(t, rounds.Round("sys", "old", "a"), true)
		elected(t, rounds.Round("sys", "completed", "a"), true)
		elected(t, rounds.Round("sys", "leased", "a", WithAttemptTTL(2*time.Hour)), true)
		elected(t, rounds.Round("other", "old", "a"), true)
		if err := kv.Put(ctx, "sys/foreign", []byte("foreign"), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if err := rounds.Round("sys", "completed", "a").Complete(ctx); err != nil {
			t.Error(err)
		}
		elected(t, rounds.Round("sys", "new", "a"), true)
		if n, err := rounds.Sweep(ctx, "sys", time.Hour); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		time.Sleep(time.Millisecond)
		if n, err := rounds.Sweep(ctx, "sys", time.Hour); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		got, err := rounds.List(ctx, "sys")
		if want := "sys/new sys/completed sys/leased"; names(got) != want || err != nil {
			t.Errorf("left are %s, %v; want %s", names(got), err, want)
		}
		if got, err := rounds.List(ctx, "other"); len(got) != 1 || err != nil {
			t.Errorf("%v, %v", got, err)
		}
		if pair, err := kv.Get(ctx, "sys/foreign", nil); pair == nil || err != nil {
			t.Error(err)
		}
		elected(t, rounds.Round("sys", "old", "b"), true) // it may be won again
		time.Sleep(2 * time.Hour)
		if n, err := rounds.Sweep(ctx, "sys", time.Hour); n != 4 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	})
}

func TestSweepLeavesARoundThatChangesMeanwhile(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		inner := memory.New()
		winner := NewRound(inner, "sys", "1", "a")
		elected(t, winner, true)
		time.Sleep(2 * time.Hour)
		kv := &standin.Store{Store: inner, OnGet: func(ctx context.Context, key string) (*store.KVPair, error) {
			pair, err := inner.Get(ctx, key, nil)
			if err := winner.Complete(ctx); err != nil { // right after
				t.Error(err)
			}
			return pair, err
		}}
		if n, err := NewRounds(kv).Sweep(ctx, "sys", time.Hour); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if who, err := winner.Completed(ctx); who != "a" || err != nil {
			t.Errorf("%q, %v", who, err)
		}
	})
}

func TestSweepTellsFailures(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New())
		rounds := NewRounds(kv)
		for i := range 3 {
			elected(t, rounds.Round("sys", fmt.Sprint(i), "a"), true)
		}
		time.Sleep(time.Hour)
		for op, want := range map[faultstore.Op]int{faultstore.OpAtomicDelete: 3, faultstore.OpGet: 3, faultstore.OpList: 1} {
			kv.SetPlan(faultstore.Always(faultstore.Fault{Err: faultstore.ErrInjected}, op))
			n, err := rounds.Sweep(ctx, "sys", time.Minute)
			if n != 0 || !errors.Is(err, faultstore.ErrInjected) || strings.Count(err.Error(), "leadership:") != want {
				t.Errorf("%s: %d, %v", op, n, err)
			}
		}
		kv.SetPlan(nil)
		if n, err := rounds.Sweep(ctx, "sys", time.Minute); n != 3 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if _, err := rounds.Sweep(ctx, "sys", 0); !errors.Is(err, ErrInvalidArgument) {
			t.Errorf("age 0: %v", err)
		}
	})
}

func TestThoseWhoAskAtOnceShareReadsThatBeginAfterTheyAsked(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		inner := memory.New()
		kv := faultstore.New(inner)
		rounds := NewRounds(kv)
		elected(t, rounds.Round("sys", "1", "a"), true)
		reads := kv.Calls(faultstore.OpGet)
		kv.SetPlan(faultstore.Always(faultstore.Fault{Before: time.Second, After: time.Second}, faultstore.OpGet))
		var all sync.WaitGroup
		for i := range 100 {
			time.Sleep(10 * time.Millisecond)
			all.Go(func() {
				start := time.Now()
				elected(t, rounds.Round("sys", "1", fmt.Sprint("node-", i)), false)
				if took := time.Since(start); took > 4*time.Second {
					t.Errorf("took %v", took)
				}
			})
		}
		all.Wait()
		if n := kv.Calls(faultstore.OpGet) - reads; n != 2 {
			t.Errorf("%d reads", n)
		}

		// One that asks while a read is under way is not told what that finds: the
		// round has been deleted since.
		go func() { _, _ = rounds.Round("sys", "1", "b").Elect(ctx) }()
		time.Sleep(time.Second + 1) // what it finds has been read
		pair, err := inner.Get(ctx, "sys/1", nil)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := inner.AtomicDelete(ctx, "sys/1", pair); !ok || err != nil {
			t.Fatal(ok, err)
		}
		elected(t, rounds.Round("sys", "1", "c"), true)
	})
}

func TestReadThatFailsIsNotShared(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New())
		rounds := NewRounds(kv)
		elected(t, rounds.Round("sys", "1", "a"), true)
		first := kv.Calls(faultstore.OpGet) + 1
		kv.SetPlan(func(c faultstore.Call) faultstore.Fault {
			switch {
			case c.Op != faultstore.OpGet:
				return faultstore.Fault{}
			case c.Seq == first:
				return faultstore.Fault{Before: time.Hour} // it hangs
			case c.Seq == first+1:
				return faultstore.Fault{Err: faultstore.ErrInjected}
			}
			return faultstore.Fault{}
		})
		var all sync.WaitGroup
		var failed, lost atomic.Int32
		for i := range 20 {
			all.Go(func() {
				won, err := rounds.Round("sys", "1", fmt.Sprint("node-", i)).Elect(ctx)
				switch {
				case err != nil:
					failed.Add(1)
				case !won:
					lost.Add(1)
				}
			})
			time.Sleep(time.Millisecond)
		}
		all.Wait()
		if failed.Load() != 2 || lost.Load() != 18 {
			t.Errorf("%d failed and %d lost", failed.Load(), lost.Load())
		}
	})
}
