package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// tardy is a store whose watches outlive their contexts.
type tardy struct {
	store.Store
	pairs chan *store.KVPair
}

func (t tardy) Watch(context.Context, string, *store.ReadOptions) (<-chan *store.KVPair, error) {
	return t.pairs, nil
}

func TestWatchBelowAPrefixEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := tardy{memory.New(), make(chan *store.KVPair)}
		ctx, cancel := context.WithCancel(t.Context())
		pairs, err := store.WithPrefix(inner, "app/").Watch(ctx, "key", nil)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		synctest.Wait()
		select {
		case _, open := <-pairs:
			if open {
				t.Error("it tells something")
			}
		default:
			t.Error("it has not ended")
		}
		inner.pairs <- &store.KVPair{Key: "app/key"} // which is read all the same
		close(inner.pairs)
	})
}

func TestPrefixIsNeitherWrittenNorSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		inner := memory.New()
		if store.WithPrefix(inner, "") != store.Store(inner) {
			t.Error("an empty prefix makes another store")
		}
		kv := store.WithPrefix(inner, "app/")
		watching, stop := context.WithCancel(ctx)
		pairs, err := kv.Watch(watching, "key", nil)
		if err != nil {
			t.Fatal(err)
		}
		if first := <-pairs; first.Key != "key" || first.Value != nil {
			t.Errorf("the first that the watch says is %+v", first)
		}

		_, put, err := kv.AtomicPut(ctx, "key", []byte("1"), nil, nil)
		if err != nil || put.Key != "key" {
			t.Fatalf("%+v, %v", put, err)
		}
		if err := inner.Put(ctx, "other/key", []byte("2"), nil); err != nil {
			t.Fatal(err)
		}
		if next := <-pairs; next.Key != "key" || string(next.Value) != "1" {
			t.Errorf("then it says %+v", next)
		}
		if got, err := inner.Get(ctx, "app/key", nil); err != nil || string(got.Value) != "1" {
			t.Errorf("beneath: %+v, %v", got, err)
		}
		got, err := kv.Get(ctx, "key", nil)
		if err != nil || got.Key != "key" || got.LastIndex != put.LastIndex {
			t.Errorf("%+v, %v", got, err)
		}
		all, err := kv.List(ctx, "", nil)
		if err != nil || len(all) != 1 || all[0].Key != "key" {
			t.Errorf("%v, %v", all, err)
		}
		_, put, err = kv.AtomicPut(ctx, "key", []byte("3"), put, nil)
		if err != nil {
			t.Fatal(err)
		}
		if deleted, err := kv.AtomicDelete(ctx, "key", put); err != nil || !deleted {
			t.Errorf("%v, %v", deleted, err)
		}

		// Nobody reads the watch now.
		stop()
		synctest.Wait()
		for range pairs {
		}
		if err := kv.Close(); err != nil {
			t.Error(err)
		}
		if _, err := inner.Get(ctx, "app/key", nil); err == nil {
			t.Error("Close does not close the store beneath")
		}
	})
}

func TestPrefixHasNoEmptyKey(t *testing.T) {
	inner := memory.New()
	kv := store.WithPrefix(inner, "app/")
	defer kv.Close()
	ctx := t.Context()
	if err := inner.Put(ctx, "app/", []byte("1"), nil); err != nil {
		t.Fatal(err)
	}
	_, errGet := kv.Get(ctx, "", nil)
	_, _, errPut := kv.AtomicPut(ctx, "", nil, nil, nil)
	_, errDelete := kv.AtomicDelete(ctx, "", new(store.KVPair))
	_, errWatch := kv.Watch(ctx, "", nil)
	for op, err := range map[string]error{"get": errGet, "put": errPut, "delete": errDelete, "watch": errWatch} {
		if err == nil || !strings.Contains(err.Error(), "the key is empty") {
			t.Errorf("%s: %v", op, err)
		}
	}
	if pairs, err := kv.List(ctx, "", nil); !errors.Is(err, store.ErrKeyNotFound) {
		t.Errorf("list: %v, %v", pairs, err)
	}
}

// TestPrefixTellsNoStateTwice: a change that is undone before the reader sees it is not
// delivered.
func TestPrefixTellsNoStateTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memory.New()
		kv := store.WithPrefix(inner, "app/")
		defer kv.Close()
		pairs, err := kv.Watch(t.Context(), "key", nil)
		if err != nil {
			t.Fatal(err)
		}
		if first := <-pairs; first.Value != nil {
			t.Fatalf("the first that the watch says is %+v", first)
		}
		_, pair, err := kv.AtomicPut(t.Context(), "key", []byte("1"), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, err := kv.AtomicDelete(t.Context(), "key", pair); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		select {
		case pair := <-pairs:
			t.Errorf("the watch says %+v", pair)
		default:
		}
	})
}

// below is a store whose hints about directories come from a channel.
type below struct {
	store.Store
	hints chan *store.KVPair
}

func (b below) HintsBelow(context.Context, string) (<-chan *store.KVPair, error) { return b.hints, nil }

func TestPrefixTellsASlowReaderOfEachChangedKeyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := below{memory.New(), make(chan *store.KVPair)}
		hints, err := store.HintsBelow(t.Context(), store.WithPrefix(kv, "pre/"), "a/")
		if err != nil {
			t.Fatal(err)
		}
		send := func(keys ...string) {
			for _, key := range keys {
				kv.hints <- &store.KVPair{Key: key}
			}
		}
		read := func() (keys []string) {
			for {
				synctest.Wait()
				select {
				case pair := <-hints:
					keys = append(keys, pair.Key)
				default:
					return keys
				}
			}
		}
		send("pre/a/0", "", "pre/a/1", "pre/a/2", "pre/a/1")
		if keys := fmt.Sprintf("%q", read()); keys != `["" "a/1" "a/2"]` {
			t.Errorf("hints: %s", keys)
		}
		for i := range 2000 {
			send(fmt.Sprint("pre/a/", i))
		}
		if keys := read(); len(keys) > 1001 || keys[0] != "" {
			t.Errorf("%d hints, the first %q; want few, and an empty key", len(keys), keys[0])
		}
		close(kv.hints)
		if pair, open := <-hints; open {
			t.Errorf("there is %v after the end", pair)
		}
	})
}

func TestStoreWithoutHintsBelowSaysSo(t *testing.T) {
	kv := struct{ store.Store }{memory.New()}
	for _, kv := range []store.Store{kv, store.WithPrefix(kv, "pre/")} {
		if _, err := store.HintsBelow(t.Context(), kv, "a/"); !errors.Is(err, store.ErrCallNotSupported) {
			t.Errorf("%v; want ErrCallNotSupported", err)
		}
	}
}
