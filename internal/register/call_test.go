package register

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/standin"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestStuckCallIsNotRepeatedOnTopOfItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := faultstore.New(memory.New())
		kv.IgnoreContexts(true)
		kv.Partition()
		r := newTest(kv)
		for i := range 10 {
			began := time.Now()
			_, err := r.Read(t.Context())
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "service/x") || strings.Contains(err.Error(), "earlier call") != (i > 0) {
				t.Errorf("got %v", err)
			}
			if took := time.Since(began); took != r.Timeout {
				t.Errorf("took %v", took)
			}
		}
		if n := kv.Calls(faultstore.OpGet); n != 1 {
			t.Errorf("%d calls under way", n)
		}
		_ = kv.Close()
		synctest.Wait()
	})
}

func TestCallIsWaitedForAsLongAsItsLimitAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := faultstore.New(memory.New(), faultstore.WithPlan(faultstore.Always(faultstore.Fault{Before: time.Second}, faultstore.OpGet)))
		var took []time.Duration
		r := New(Config{Place: Place{kv, "service/x", "test"}, Limit: func(d time.Duration) time.Duration {
			took = append(took, d)
			return time.Second * 3 / 2
		}})
		for range 2 {
			if _, err := r.Read(t.Context()); err != nil {
				t.Error(err)
			}
		}
		kv.SetPlan(faultstore.Always(faultstore.Fault{Before: time.Minute}, faultstore.OpGet))
		began := time.Now()
		if _, err := r.Read(t.Context()); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer within 1.5s") || time.Since(began) != time.Second*3/2 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if len(took) != 3 || took[0] != 0 || took[1] != time.Second || took[2] != time.Second {
			t.Errorf("told that the store takes %v", took)
		}
	})
}

// prompt is a store that says of its calls that they return in time.
type prompt struct{ *standin.Store }

func (prompt) ReturnsInTime() bool { return true }

func TestCallsThatReturnInTimeAreMadeByTheirCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var under []int
		failure := errors.New("refused")
		kv := prompt{&standin.Store{Store: memory.New(), OnGet: func(ctx context.Context, _ string) (*store.KVPair, error) {
			under = append(under, runtime.NumGoroutine())
			if _, ok := ctx.Deadline(); !ok {
				t.Error("a call without a deadline")
			}
			if len(under) == 1 {
				return nil, failure
			}
			<-ctx.Done()
			return nil, fmt.Errorf("redis: get: %w", ctx.Err())
		}}}
		r := New(Config{Place: Place{store.WithPrefix(kv, "app/"), "service/x", "test"}, Timeout: time.Second})
		before := runtime.NumGoroutine()
		if _, err := r.Read(t.Context()); !errors.Is(err, failure) {
			t.Errorf("got %v", err)
		}
		if _, err := r.Read(t.Context()); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer within 1s") || strings.Count(err.Error(), "service/x") != 1 {
			t.Errorf("got %v", err)
		}
		left := errors.New("the caller has left")
		ctx, leave := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Millisecond, func() { leave(left) })
		if _, err := r.Read(ctx); !errors.Is(err, left) {
			t.Errorf("got %v", err)
		}
		if want := []int{before, before, before}; !slices.Equal(under, want) {
			t.Errorf("goroutines during the calls: %v, want %v", under, want)
		}
	})
}

func TestErrorsNameOperationAndKeyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, says := range []string{"refused", `redis: get "service/x": refused`, `redis: get "app/service/x": refused`} {
			failure := errors.New(says)
			kv := &standin.Store{Store: memory.New(), OnGet: func(context.Context, string) (*store.KVPair, error) { return nil, failure }}
			_, err := newTest(kv).Read(t.Context())
			if text := err.Error(); !errors.Is(err, failure) || strings.Count(text, "service/x") != 1 || strings.Count(text, "get") != 1 || !strings.HasPrefix(text, "test: ") {
				t.Errorf("got %s", text)
			}
		}
	})
}

func TestPairsAreListedBelowTheKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := memory.New()
		r := New(Config{Place: Place{kv, "folder/", "test"}, Timeout: time.Second})
		list := func(want int) {
			t.Helper()
			found := make(map[string]bool)
			err := Pages(t.Context(), r, func(pairs []*store.KVPair) error {
				for _, pair := range pairs {
					found[pair.Key] = pair.Value != nil
				}
				return nil
			})
			if len(found) != want || err != nil {
				t.Errorf("%d pairs, %v; want %d", len(found), err, want)
			}
		}
		list(0)
		for i := range 2500 {
			_ = kv.Put(t.Context(), fmt.Sprint("folder/", i), []byte("x"), nil)
		}
		list(2500)
		failure := errors.New("enough")
		pages := 0
		if err := Pages(t.Context(), r, func([]*store.KVPair) error { pages++; return failure }); !errors.Is(err, failure) || pages != 1 {
			t.Errorf("%v after %d pages", err, pages)
		}
	})
}

// shared makes registers of one key that share their reads.
func shared(kv store.Store) func() *Register {
	var reads Reads
	return func() *Register {
		return New(Config{Place: Place{kv, "service/x", "test"}, Timeout: 5 * time.Second, Unsafe: errUnsafe, Reads: &reads})
	}
}

func TestThoseWhoAskAtOnceShareReadsThatBeginAfterTheyAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memory.New()
		_ = inner.Put(t.Context(), "service/x", []byte("old"), nil)
		kv := faultstore.New(inner, faultstore.WithPlan(faultstore.Always(faultstore.Fault{Before: time.Second, After: time.Second}, faultstore.OpGet)))
		register := shared(kv)
		var all sync.WaitGroup
		for range 100 {
			time.Sleep(10 * time.Millisecond)
			all.Go(func() {
				began := time.Now()
				if pair, err := register().Read(t.Context()); err != nil || string(pair.Value) != "old" || time.Since(began) > 4*time.Second {
					t.Errorf("%v, %v after %v", pair, err, time.Since(began))
				}
			})
		}
		all.Wait()
		if n := kv.Calls(faultstore.OpGet); n != 2 {
			t.Errorf("%d reads", n)
		}

		// What a read has found that was under way before is no answer.
		go func() { _, _ = register().Read(t.Context()) }()
		time.Sleep(time.Second + 1)
		_ = inner.Put(t.Context(), "service/x", []byte("new"), nil)
		if pair, err := register().Read(t.Context()); err != nil || string(pair.Value) != "new" {
			t.Errorf("%v, %v", pair, err)
		}
	})
}

func TestReadThatFailsIsNotShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := faultstore.New(memory.New(), faultstore.WithPlan(func(c faultstore.Call) faultstore.Fault {
			switch c.Seq {
			case 1:
				return faultstore.Fault{Before: time.Hour} // it hangs
			case 2:
				return faultstore.Fault{Err: faultstore.ErrInjected}
			}
			return faultstore.Fault{}
		}))
		register := shared(kv)
		var all sync.WaitGroup
		var mu sync.Mutex
		failed := 0
		for range 20 {
			all.Go(func() {
				if _, err := register().Read(t.Context()); err != nil {
					mu.Lock()
					failed++
					mu.Unlock()
				}
			})
			time.Sleep(time.Millisecond)
		}
		all.Wait()
		if failed != 2 {
			t.Errorf("%d failed", failed)
		}
	})
}

func TestTwoKeysAreReadByOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memory.New()
		kv := faultstore.New(inner)
		r := newTest(kv)
		_ = inner.Put(t.Context(), "service/y", []byte("y"), nil)
		if pair, other, err := r.ReadWith(t.Context(), "service/y"); err != nil || pair != nil || string(other.Value) != "y" || kv.Calls(faultstore.OpGet) != 1 {
			t.Errorf("%v, %v, %v after %d calls", pair, other, err, kv.Calls(faultstore.OpGet))
		}
		kv.Refuse()
		if _, _, err := r.ReadWith(t.Context(), "service/y"); err == nil || !strings.Contains(err.Error(), "service/x") {
			t.Errorf("got %v", err)
		}
		kv.Heal()

		// Registers of two keys share the calls that are under way.
		kv.IgnoreContexts(true)
		kv.Partition()
		for i, r := range []*Register{r, r.At("service/y"), r.At("service/z")} {
			if _, err := r.Read(t.Context()); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "earlier call") != (i > 0) {
				t.Errorf("got %v", err)
			}
		}
		_ = kv.Close()
		synctest.Wait()
	})
}
