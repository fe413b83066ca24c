package faultstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const key = "service/leader"

var errBroken = errors.New("broken pipe")

// open returns a store and a client's view of it. Both are closed at the end.
func open(t *testing.T, opts ...faultstore.Option) (*memory.Store, *faultstore.Store) {
	t.Helper()
	shared := memory.New()
	kv := faultstore.New(shared, opts...)
	t.Cleanup(func() {
		kv.Close()
		shared.Close()
	})
	return shared, kv
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// within returns a context that ends after d.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func create(ctx context.Context, kv store.Store, value string) error {
	_, _, err := kv.AtomicPut(ctx, key, []byte(value), nil, nil)
	return err
}

// start makes a call in a goroutine.
func start(call func() error) <-chan error {
	reply := make(chan error, 1)
	go func() { reply <- call() }()
	return reply
}

// wantHanging fails unless the call has yet to return.
func wantHanging(t *testing.T, reply <-chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-reply:
		t.Fatalf("the call returned %v, and was to hang", err)
	default:
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, want %v", err, want)
	}
}

// wantStored looks into the shared store; "" stands for a missing key.
func wantStored(t *testing.T, shared *memory.Store, want string) {
	t.Helper()
	pair, err := shared.Get(t.Context(), key, nil)
	switch {
	case want == "":
		wantErr(t, err, store.ErrKeyNotFound)
	case err != nil:
		t.Error(err)
	case string(pair.Value) != want:
		t.Errorf("the store has %q, want %q", pair.Value, want)
	}
}

func wantElapsed(t *testing.T, began time.Time, want time.Duration) {
	t.Helper()
	if took := time.Since(began); took != want {
		t.Errorf("it took %v, want %v", took, want)
	}
}

func TestWithoutFaultsEverythingPassesThrough(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, kv := open(t)
		began := time.Now()
		_, err := kv.Get(t.Context(), key, nil)
		wantErr(t, err, store.ErrKeyNotFound)
		ok, pair, err := kv.AtomicPut(t.Context(), key, []byte("a"), nil, nil)
		if !ok || err != nil || pair.LastIndex == 0 {
			t.Errorf("AtomicPut = %v, %v, %v", ok, pair, err)
		}
		wantErr(t, create(t.Context(), kv, "b"), store.ErrKeyExists)
		if read, err := kv.Get(t.Context(), key, nil); err != nil || string(read.Value) != "a" {
			t.Errorf("Get = %v, %v", read, err)
		}
		if pairs, err := kv.List(t.Context(), "service/", nil); err != nil || len(pairs) != 1 {
			t.Errorf("List = %v, %v", pairs, err)
		}
		if ok, err := kv.AtomicDelete(t.Context(), key, pair); !ok || err != nil {
			t.Errorf("AtomicDelete = %v, %v", ok, err)
		}
		wantElapsed(t, began, 0)
	})
}

func TestBeforeDelaysTheEffectAndAfterTheReply(t *testing.T) {
	bubble(t, func(t *testing.T) {
		shared, kv := open(t, faultstore.WithPlan(faultstore.Always(
			faultstore.Fault{Before: 2 * time.Second, After: 3 * time.Second})))
		began := time.Now()
		reply := start(func() error { return create(t.Context(), kv, "a") })

		time.Sleep(2*time.Second - 1)
		wantStored(t, shared, "")
		time.Sleep(time.Nanosecond)
		wantHanging(t, reply)
		wantStored(t, shared, "a")
		if err := <-reply; err != nil {
			t.Error(err)
		}
		wantElapsed(t, began, 5*time.Second)
	})
}

func TestContextThatEndsBeforeTheEffectPreventsIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		shared, kv := open(t, faultstore.WithPlan(faultstore.Always(faultstore.Fault{Before: time.Minute})))
		began := time.Now()
		wantErr(t, create(within(t, time.Second), kv, "a"), context.DeadlineExceeded)
		wantElapsed(t, began, time.Second)
		time.Sleep(time.Hour)
		wantStored(t, shared, "")
	})
}

func TestContextThatEndsBeforeTheReplyLosesOnlyTheReply(t *testing.T) {
	bubble(t, func(t *testing.T) {
		shared, kv := open(t, faultstore.WithPlan(faultstore.Always(faultstore.Fault{After: time.Minute})))
		began := time.Now()
		wantErr(t, create(within(t, time.Second), kv, "a"), context.DeadlineExceeded)
		wantElapsed(t, began, time.Second)
		wantStored(t, shared, "a")
	})
}

func TestCallThatIgnoresItsContextTakesEffectLate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slow := faultstore.Fault{Before: time.Minute, After: time.Minute}
		ignorant := slow
		ignorant.IgnoreContext = true

		for name, set := range map[string]func(*faultstore.Store){
			"by plan":   func(kv *faultstore.Store) { kv.SetPlan(faultstore.Always(ignorant)) },
			"by switch": func(kv *faultstore.Store) { kv.SetPlan(faultstore.Always(slow)); kv.IgnoreContexts(true) },
		} {
			shared, kv := open(t)
			set(kv)
			reply := start(func() error { return create(within(t, time.Second), kv, name) })
			time.Sleep(time.Minute - 1)
			wantStored(t, shared, "")
			time.Sleep(time.Nanosecond)
			wantHanging(t, reply)
			wantStored(t, shared, name)
			if err := <-reply; err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestFailedCallHasNoEffect(t *testing.T) {
	shared, kv := open(t, faultstore.WithPlan(faultstore.Always(faultstore.Fault{Err: errBroken}, faultstore.OpAtomicPut)))
	err := create(t.Context(), kv, "a")
	wantErr(t, err, faultstore.ErrInjected)
	wantErr(t, err, errBroken)
	for _, part := range []string{"atomic put", key} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %q", err, part)
		}
	}
	wantStored(t, shared, "")
	_, err = kv.Get(t.Context(), key, nil)
	wantErr(t, err, store.ErrKeyNotFound) // another op
}

func TestLostReplyHidesAWriteThatHappened(t *testing.T) {
	for _, c := range []struct {
		fault faultstore.Fault
		want  error
	}{
		{faultstore.Fault{LoseReply: true}, faultstore.ErrInjected},
		{faultstore.Fault{LoseReply: true, Err: errBroken}, errBroken},
	} {
		shared, kv := open(t, faultstore.WithPlan(faultstore.Always(c.fault)))
		ok, pair, err := kv.AtomicPut(t.Context(), key, []byte("a"), nil, nil)
		if ok || pair != nil {
			t.Errorf("AtomicPut = %v, %v", ok, pair)
		}
		wantErr(t, err, c.want)
		wantErr(t, err, faultstore.ErrInjected)
		wantStored(t, shared, "a")

		if pair, err := kv.Get(t.Context(), key, nil); pair != nil || !errors.Is(err, c.want) {
			t.Errorf("Get = %v, %v", pair, err)
		}
	}
}

func TestPartitionHangsCallsUntilTheirContextsEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		shared, kv := open(t)
		kv.Partition()
		began := time.Now()
		wantErr(t, create(within(t, time.Second), kv, "a"), context.DeadlineExceeded)
		wantElapsed(t, began, time.Second)
		kv.Heal()
		wantStored(t, shared, "")
	})
}

func TestPartitionCutsOffOneClientOnly(t *testing.T) {
	shared, a := open(t)
	b := faultstore.New(shared)
	defer b.Close()
	a.Refuse()
	wantErr(t, create(t.Context(), a, "a"), faultstore.ErrInjected)
	if err := create(t.Context(), b, "b"); err != nil {
		t.Error(err)
	}
}

func TestHealedCallGoesOnAsIfItHadBeenSlow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		shared, kv := open(t)
		kv.Partition()
		reply := start(func() error { return create(t.Context(), kv, "a") })
		time.Sleep(time.Hour)
		wantHanging(t, reply)
		wantStored(t, shared, "")
		kv.Heal()
		if err := <-reply; err != nil {
			t.Error(err)
		}
		wantStored(t, shared, "a")
	})
}

func TestPartitionDuringACallHoldsBackItsReply(t *testing.T) {
	bubble(t, func(t *testing.T) {
		shared, kv := open(t, faultstore.WithPlan(faultstore.Always(faultstore.Fault{After: time.Second})))
		reply := start(func() error { return create(within(t, time.Minute), kv, "a") })
		synctest.Wait()
		kv.Partition()
		time.Sleep(time.Second)
		wantHanging(t, reply)
		wantStored(t, shared, "a")
		wantErr(t, <-reply, context.DeadlineExceeded)
	})
}

func TestPartitionedCallThatIgnoresItsContextHangsUntilHealed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		shared, kv := open(t)
		kv.IgnoreContexts(true)
		kv.Partition()
		reply := start(func() error { return create(within(t, time.Second), kv, "a") })
		time.Sleep(time.Hour)
		wantHanging(t, reply)
		kv.Heal()
		if err := <-reply; err != nil {
			t.Error(err)
		}
		wantStored(t, shared, "a")
	})
}

func TestRefusedCallsFailAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		shared, kv := open(t)
		kv.Partition()
		hanging := start(func() error { return create(t.Context(), kv, "a") })
		wantHanging(t, hanging)

		kv.Refuse()
		began := time.Now()
		for _, err := range []error{<-hanging, create(t.Context(), kv, "a")} {
			wantErr(t, err, faultstore.ErrInjected)
			wantErr(t, err, store.ErrNotReachable)
		}
		wantElapsed(t, began, 0)
		wantStored(t, shared, "")

		kv.Heal()
		if err := create(t.Context(), kv, "a"); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseReleasesCallsThatHangAndLeavesTheInnerStoreOpen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		shared, kv := open(t)
		kv.IgnoreContexts(true)
		kv.SetPlan(faultstore.Always(faultstore.Fault{Before: time.Hour}, faultstore.OpAtomicPut))
		kv.Partition()
		began := time.Now()
		delayed := start(func() error { return create(t.Context(), kv, "a") })
		partitioned := start(func() error { _, err := kv.Get(t.Context(), key, nil); return err })
		wantHanging(t, delayed)
		wantHanging(t, partitioned)
		for range 2 {
			if err := kv.Close(); err != nil {
				t.Error(err)
			}
		}
		wantErr(t, <-delayed, store.ErrClosed)
		wantErr(t, <-partitioned, store.ErrClosed)
		wantErr(t, create(t.Context(), kv, "a"), store.ErrClosed)
		_, err := kv.Watch(t.Context(), key, nil)
		wantErr(t, err, store.ErrClosed)
		wantElapsed(t, began, 0)
		wantStored(t, shared, "")
	})
}

func TestCallsAreCountedWhateverBecomesOfThem(t *testing.T) {
	_, kv := open(t)
	for range 2 {
		_, _ = kv.Get(t.Context(), key, nil)
	}
	kv.Refuse()
	_, _ = kv.Get(t.Context(), key, nil)
	_, _ = kv.Watch(t.Context(), key, nil)
	for op, want := range map[faultstore.Op]int{
		faultstore.OpGet: 3, faultstore.OpWatch: 1, faultstore.OpAtomicPut: 0,
	} {
		if got := kv.Calls(op); got != want {
			t.Errorf("Calls(%s) = %d, want %d", op, got, want)
		}
	}
}
