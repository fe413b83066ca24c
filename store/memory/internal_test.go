package memory

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

func TestEntriesThatAreReplacedOrDeletedLeaveNoTimer(t *testing.T) {
	kv := New()
	var timers []*time.Timer
	put := func(key string) {
		t.Helper()
		if err := kv.Put(t.Context(), key, nil, &store.WriteOptions{TTL: time.Hour}); err != nil {
			t.Fatal(err)
		}
		timers = append(timers, kv.entries[key].expiry.timer)
	}
	put("replaced")
	put("replaced")
	put("deleted")
	if err := kv.Delete(t.Context(), "deleted"); err != nil {
		t.Fatal(err)
	}
	if !timers[1].Stop() {
		t.Error("the timer of what is there now was stopped")
	}
	timers[1].Reset(time.Hour)
	kv.Close()
	for i, timer := range timers {
		if timer.Stop() {
			t.Errorf("timer %d was left running", i)
		}
	}
}

func TestWatchThatHasEndedIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := New()
		defer kv.Close()
		ctx, cancel := context.WithCancel(t.Context())
		for range 3 {
			if _, err := kv.Watch(ctx, "key", nil); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		synctest.Wait()
		if len(kv.watches) != 0 {
			t.Errorf("%d keys are still watched", len(kv.watches))
		}
	})
}

func TestChangeThatTheFirstLookFoundIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := New()
		defer kv.Close()
		for range 64 { // which of two ready cases a select takes is chance
			ctx, cancel := context.WithCancel(t.Context())
			w := &watch{changed: make(chan struct{}, 1), cancel: cancel}
			w.changed <- struct{}{} // the write came after Watch and before its first look
			pairs, sent := make(chan *store.KVPair), 0
			go func() {
				for range pairs {
					sent++
				}
			}()
			synctest.Wait()
			go kv.follow(ctx, "key", w, pairs)
			synctest.Wait()
			cancel()
			synctest.Wait()
			if sent != 1 {
				t.Fatalf("one state was sent %d times", sent)
			}
		}
	})
}
