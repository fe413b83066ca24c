package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/standin"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// getter is a store whose Get takes a second, and fails for the key "bad". It counts.
func getter(inner store.Store) (kv store.Store, calls, most *atomic.Int64) {
	calls, most = new(atomic.Int64), new(atomic.Int64)
	var running atomic.Int64
	return &standin.Store{Store: inner, OnGet: func(ctx context.Context, key string) (*store.KVPair, error) {
		calls.Add(1)
		if n := running.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer running.Add(-1)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil, fmt.Errorf("ended: %w", ctx.Err())
		}
		if key == "bad" {
			return nil, errors.New("bad key")
		}
		return inner.Get(ctx, key, nil)
	}}, calls, most
}

func TestManyKeysAreReadByGetWhereTheStoreHasNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memory.New()
		var keys []string
		for i := range 100 {
			keys = append(keys, fmt.Sprint("key", i))
			if err := inner.Put(t.Context(), "pre/"+keys[i], []byte(keys[i]), nil); err != nil {
				t.Fatal(err)
			}
		}
		keys = append(keys, "none", "key7")
		slow, calls, most := getter(inner)
		kv := store.WithPrefix(slow, "pre/")
		pairs, err := store.GetMany(t.Context(), kv, keys)
		if err != nil || len(pairs) != len(keys) || calls.Load() != 102 || most.Load() != 8 {
			t.Fatalf("%d pairs, %v, %d calls, %d at once", len(pairs), err, calls.Load(), most.Load())
		}
		for i, pair := range pairs {
			if keys[i] == "none" {
				if pair != nil {
					t.Errorf("%v is not there", pair)
				}
			} else if pair == nil || pair.Key != keys[i] || string(pair.Value) != keys[i] {
				t.Errorf("at the place of %s: %v", keys[i], pair)
			}
		}
	})
}

func TestNothingIsReadOfManyKeysAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv, calls, _ := getter(memory.New())
		keys := strings.Split("a b c bad"+strings.Repeat(" more", 100), " ")
		pairs, err := store.GetMany(t.Context(), kv, keys)
		if pairs != nil || err == nil || !strings.Contains(err.Error(), "bad key") || calls.Load() > 20 {
			t.Errorf("%v, %v after %d calls", pairs, err, calls.Load())
		}

		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		began := time.Now()
		pairs, err = store.GetMany(ctx, kv, keys[4:])
		if pairs != nil || !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 2500*time.Millisecond {
			t.Errorf("%v, %v after %v", pairs, err, time.Since(began))
		}
	})
}

func TestNoKeysAreNoCall(t *testing.T) {
	inner := memory.New()
	slow, calls, _ := getter(inner)
	inner.Close()
	for _, kv := range []store.Store{inner, slow, store.WithPrefix(inner, "pre/"), store.WithPrefix(slow, "pre/")} {
		if pairs, err := store.GetMany(t.Context(), kv, nil); err != nil || len(pairs) != 0 || calls.Load() != 0 {
			t.Errorf("%v, %v, %d calls", pairs, err, calls.Load())
		}
	}
}
