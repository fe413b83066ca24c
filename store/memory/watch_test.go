package memory_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

const missing = "(missing)"

// next returns what a watch has to say now, "" for nothing.
func next(t *testing.T, watch <-chan *store.KVPair) string {
	t.Helper()
	synctest.Wait()
	select {
	case pair, ok := <-watch:
		switch {
		case !ok:
			return "(closed)"
		case pair.Key != key:
			t.Errorf("the watch of %q sent %+v", key, pair)
		case (pair.Value == nil) != (pair.LastIndex == 0):
			t.Errorf("a pair that is neither missing nor there: %+v", pair)
		}
		if pair.Value == nil {
			return missing
		}
		return string(pair.Value)
	default:
		return ""
	}
}

func wantNext(t *testing.T, watch <-chan *store.KVPair, want string) {
	t.Helper()
	if got := next(t, watch); got != want {
		t.Errorf("the watch sent %q, want %q", got, want)
	}
}

func watch(t *testing.T, kv store.Store) <-chan *store.KVPair {
	t.Helper()
	pairs, err := kv.Watch(t.Context(), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	return pairs
}

func TestWatchSendsTheStateThenEveryChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := open(t)
		w := watch(t, kv)
		wantNext(t, w, missing)
		wantNext(t, w, "")
		pair := put(t, kv, "a", nil, 0)
		wantNext(t, w, "a")
		if err := kv.Put(t.Context(), "another key", []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
		wantNext(t, w, "")
		put(t, kv, "b", pair, time.Second)
		wantNext(t, w, "b")
		time.Sleep(time.Second) // it expires, and nobody but the timer looks
		wantNext(t, w, missing)
		put(t, kv, "c", nil, 0)
		wantNext(t, w, "c")
		if err := kv.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		wantNext(t, w, missing)
		wantNext(t, w, "")

		put(t, kv, "d", nil, 0)
		wantNext(t, watch(t, kv), "d")
	})
}

func TestExpiryFoundByAReaderIsToldToWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := open(t)
		put(t, kv, "a", nil, time.Second)
		w := watch(t, kv)
		wantNext(t, w, "a")
		time.Sleep(time.Second)
		wantMissing(t, kv)
		wantNext(t, w, missing)
		wantNext(t, w, "")
	})
}

func TestSlowWatchGetsTheLatestAndHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := open(t)
		slow, began := watch(t, kv), time.Now()
		pair := put(t, kv, "first", nil, 0)
		for range 1000 {
			pair = put(t, kv, "more", pair, 0)
		}
		put(t, kv, "last", pair, 0)
		if took := time.Since(began); took != 0 {
			t.Errorf("the writes took %v", took)
		}
		wantNext(t, slow, "last")
		wantNext(t, slow, "")
	})
}

func TestBusyWatchNeverRepeatsAStateAndEndsWithTheLast(t *testing.T) {
	kv := open(t)
	const writes = 20000 // each has the next index
	go func() {
		for range writes {
			if err := kv.Put(t.Context(), key, nil, nil); err != nil {
				t.Error(err)
			}
		}
	}()
	last := int64(-1)
	for pair := range watch(t, kv) {
		if index := int64(pair.LastIndex); index <= last {
			t.Fatalf("index %d came after %d", index, last)
		} else if last = index; index == writes {
			return
		}
	}
}

func TestWatchEndsWithItsContextWithoutAReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		pairs, err := kv.Watch(ctx, key, nil)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		cancel()
		wantNext(t, pairs, "(closed)")
	})
}

func TestCloseEndsWatchesAndTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := memory.New()
		put(t, kv, "a", nil, time.Hour)
		read, unread := watch(t, kv), watch(t, kv)
		wantNext(t, read, "a")
		synctest.Wait()
		kv.Close()
		wantNext(t, read, "(closed)")
		wantNext(t, unread, "(closed)")
	})
}
