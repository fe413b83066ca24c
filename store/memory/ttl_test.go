package memory_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

func TestEntryIsGoneExactlyWhenItsTTLIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := open(t)
		const ttl = 1500 * time.Millisecond
		pair := put(t, kv, "a", nil, ttl)

		time.Sleep(ttl - 1)
		wantValue(t, kv, "a")

		time.Sleep(time.Nanosecond)
		// No synctest.Wait: it holds even before the timer has had its turn.
		wantMissing(t, kv)
		_, err := kv.List(t.Context(), "service", nil)
		wantErr(t, err, store.ErrKeyNotFound)
		_, _, err = kv.AtomicPut(t.Context(), key, []byte("bad"), pair, nil)
		wantErr(t, err, store.ErrKeyNotFound)
		_, err = kv.AtomicDelete(t.Context(), key, pair)
		wantErr(t, err, store.ErrKeyNotFound)
		put(t, kv, "b", nil, 0)
	})
}

func TestWriteReplacesTheTTLOfTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := open(t)
		pair := put(t, kv, "a", nil, time.Second)
		time.Sleep(time.Second / 2)
		pair = put(t, kv, "b", pair, time.Second)
		time.Sleep(time.Second - 1)
		wantValue(t, kv, "b")
		put(t, kv, "c", pair, 0)
		time.Sleep(time.Hour)
		wantValue(t, kv, "c")
	})
}

func TestNegativeTTLIsRefused(t *testing.T) {
	kv := open(t)
	if _, _, err := kv.AtomicPut(t.Context(), key, nil, nil, &store.WriteOptions{TTL: -1}); err == nil {
		t.Error("no error")
	}
	wantMissing(t, kv)
}
