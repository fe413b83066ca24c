package fence_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/fence"
	"github.com/seed-a1d591d3/leadership/internal/goroutines"
	"github.com/seed-a1d591d3/leadership/internal/standin"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// A store may answer with what was there a moment ago, as ZooKeeper's do.
func TestKVDoesNotTrustAReadAlone(t *testing.T) {
	shared := memory.New()
	check := fence.NewKV(shared, "fences")
	if err := check.Check(t.Context(), "orders", 7); err != nil {
		t.Fatal(err)
	}
	old, err := shared.Get(t.Context(), "fences/orders", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := check.Check(t.Context(), "orders", 8); err != nil {
		t.Fatal(err)
	}
	reads := 0
	behind := &standin.Store{Store: shared}
	behind.OnGet = func(context.Context, string) (*store.KVPair, error) {
		if reads++; reads == 1 {
			return old, nil
		}
		return shared.Get(context.Background(), "fences/orders", nil)
	}
	if err := fence.NewKV(behind, "fences").Check(t.Context(), "orders", 7); !errors.Is(err, fence.ErrStale) {
		t.Errorf("got %v, want ErrStale", err)
	}
}

// What a read shows a failover may take back: only a write that was acknowledged
// lets a token pass.
func TestKVPassesATokenOnlyByAnAcknowledgedWrite(t *testing.T) {
	shared := memory.New()
	lost := errors.New("reply lost")
	kv := &standin.Store{Store: shared}
	puts, lose := 0, 1
	kv.OnPut = func(_ context.Context, _ string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
		ok, pair, err := shared.AtomicPut(context.Background(), "fences/orders", value, previous, nil)
		if puts++; err == nil && puts <= lose {
			return false, nil, lost
		}
		return ok, pair, err
	}
	check := fence.NewKV(kv, "fences")
	if err := check.Check(t.Context(), "orders", 7); err != nil || puts != 2 {
		t.Errorf("after %d writes: %v", puts, err)
	}
	puts, lose = 0, 100
	if err := check.Check(t.Context(), "orders", 7); !errors.Is(err, lost) {
		t.Errorf("nothing was acknowledged, and the check says %v", err)
	}
}

func TestKVDoesNotTakeARefusalWithoutErrorForSuccess(t *testing.T) {
	kv := &standin.Store{Store: memory.New()}
	kv.OnPut = func(context.Context, string, []byte, *store.KVPair) (bool, *store.KVPair, error) {
		return false, nil, nil
	}
	if err := fence.NewKV(kv, "fences").Check(t.Context(), "orders", 7); !errors.Is(err, store.ErrKeyModified) {
		t.Errorf("nothing was written, and the check says %v", err)
	}
}

func TestKVTellsWhatItsStoreCannotDo(t *testing.T) {
	down := errors.New("the store is down")
	puts := 0
	kv := &standin.Store{Store: memory.New()}
	kv.OnPut = func(context.Context, string, []byte, *store.KVPair) (bool, *store.KVPair, error) {
		puts++
		return false, nil, down
	}
	if err := fence.NewKV(kv, "fences").Check(t.Context(), "orders", 7); !errors.Is(err, down) || puts != 3 {
		t.Errorf("after %d writes: got %v, want that of the store after 3", puts, err)
	}
	kv.OnPut = func(context.Context, string, []byte, *store.KVPair) (bool, *store.KVPair, error) {
		puts++
		return false, nil, store.ErrKeyModified
	}
	if err := fence.NewKV(kv, "fences").Check(t.Context(), "orders", 7); !errors.Is(err, store.ErrKeyModified) || puts != 6 {
		t.Errorf("refused %d times though nothing has changed: got %v, want ErrKeyModified after 3", puts-3, err)
	}
	kv.OnGet = func(context.Context, string) (*store.KVPair, error) { return nil, down }
	if err := fence.NewKV(kv, "fences").Check(t.Context(), "orders", 7); !errors.Is(err, down) {
		t.Errorf("got %v, want that of the store", err)
	}
}

func TestKVDoesNotOverwriteWhatIsNoToken(t *testing.T) {
	for _, value := range []string{
		"", "7", "seven", "{}", `{"v":1}`, `{"v":1,"token":-1}`, `{"v":1,"token":0}`, `{"v":2,"token":7}`,
		`{"v":1,"token":7,"check":"x"}`,
		`{"v":1,"kind":"fence","token":0,"check":"x"}`,
		`{"v":1,"kind":"fence","token":7,"check":""}`,
		`{"v":1,"kind":"fence","token":7}`,
		`{"v":1,"kind":"fence","token":7,"check":"x","leader":"a"}`,
		`{"v":1,"kind":"fence","Token":7,"check":"x"}`,
		`{"v":1,"kind":"election","leader":"","token":7,"beat":1}`,
		`{"v":1,"kind":"election","leader":"a","instance":"i","token":7,"ttl":500,"beat":3,"since":"2026-01-02T03:04:05Z"}`,
	} {
		kv := memory.New()
		if err := kv.Put(t.Context(), "fences/orders", []byte(value), nil); err != nil {
			t.Fatal(err)
		}
		err := fence.NewKV(kv, "fences").Check(t.Context(), "orders", 7)
		if !errors.Is(err, leadership.ErrForeignRecord) {
			t.Errorf("at %q: got %v, want ErrForeignRecord", value, err)
		}
		if pair, err := kv.Get(t.Context(), "fences/orders", nil); err != nil || string(pair.Value) != value {
			t.Errorf("%q was changed: %v, %v", value, pair, err)
		}
	}
}

func TestKVArgumentsAreChecked(t *testing.T) {
	for name, err := range map[string]error{
		"no store":    fence.NewKV(nil, "fences").Check(t.Context(), "orders", 1),
		"a nil store": fence.NewKV((*memory.Store)(nil), "fences").Check(t.Context(), "orders", 1),
		"no folder":   fence.NewKV(memory.New(), "").Check(t.Context(), "orders", 1),
		"no context":  fence.NewKV(memory.New(), "fences").Check(nil, "orders", 1), //nolint:staticcheck // SA1012: as a user may
	} {
		if !errors.Is(err, leadership.ErrInvalidArgument) {
			t.Errorf("%s: got %v, want ErrInvalidArgument", name, err)
		}
	}
}

func TestStoreWithoutAnswersHoldsFewGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		kv := &standin.Store{Store: memory.New()}
		kv.OnGet = func(context.Context, string) (*store.KVPair, error) { <-hang; return nil, store.ErrKeyNotFound } // whatever its context says
		check := fence.NewKV(kv, "fences")
		before := goroutines.InBubble()
		began := time.Now()
		results := make(chan error, 1000)
		for range cap(results) {
			go func() { results <- check.Check(t.Context(), "orders", 1) }()
		}
		for range cap(results) {
			if err := <-results; !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v, want DeadlineExceeded", err)
			}
		}
		if took := time.Since(began); took != fence.KVTimeout {
			t.Errorf("they took %v, want %v", took, fence.KVTimeout)
		}
		synctest.Wait()
		if more := goroutines.InBubble() - before; more > 64 {
			t.Errorf("%d goroutines are left, want 64 at most", more)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := check.Check(ctx, "orders", 1); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != fence.KVTimeout+time.Second {
			t.Errorf("got %v after %v, want DeadlineExceeded when ctx ends", err, time.Since(began))
		}
		close(hang)
		synctest.Wait()
		if err := check.Check(t.Context(), "orders", 1); err != nil {
			t.Errorf("once the store answers: %v", err)
		}
	})
}
