package memory

import (
	"context"
	"slices"
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

func TestStateThatTheReaderHasIsNotSentAgain(t *testing.T) {
	w := &watch{pairs: make(chan *store.KVPair, 1)}
	tell := func(index uint64, want ...uint64) {
		t.Helper()
		w.tell(&store.KVPair{LastIndex: index})
		var got []uint64
		select {
		case pair := <-w.pairs:
			got = append(got, pair.LastIndex)
		default:
		}
		if !slices.Equal(got, want) {
			t.Errorf("told of %d, it sends %d, want %d", index, got, want)
		}
	}
	tell(0, 0)
	tell(0)
	tell(1, 1)
	w.tell(&store.KVPair{LastIndex: 2}) // which is not taken
	tell(1)
	tell(3, 3)
}
