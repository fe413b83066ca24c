package memory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const key = "service/leader"

// open returns a store that the end of the test closes.
func open(t *testing.T) *memory.Store {
	t.Helper()
	kv := memory.New()
	t.Cleanup(func() {
		if err := kv.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return kv
}

// put creates key, or replaces previous, and returns the pair as written.
func put(t *testing.T, kv store.Store, value string, previous *store.KVPair, ttl time.Duration) *store.KVPair {
	t.Helper()
	ok, pair, err := kv.AtomicPut(t.Context(), key, []byte(value), previous, &store.WriteOptions{TTL: ttl})
	if err != nil || !ok {
		t.Fatalf("AtomicPut(%q) = %v, %v", value, ok, err)
	}
	return pair
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, want %v", err, want)
	}
}

func wantValue(t *testing.T, kv store.Store, want string) {
	t.Helper()
	pair, err := kv.Get(t.Context(), key, nil)
	if err != nil {
		t.Errorf("Get: %v, want %q", err, want)
	} else if string(pair.Value) != want {
		t.Errorf("Get = %q, want %q", pair.Value, want)
	}
}

func wantMissing(t *testing.T, kv store.Store) {
	t.Helper()
	_, err := kv.Get(t.Context(), key, nil)
	wantErr(t, err, store.ErrKeyNotFound)
}

func TestGetFindsWhatAtomicPutReturned(t *testing.T) {
	kv := open(t)
	wantMissing(t, kv)
	written := put(t, kv, "a", nil, 0)
	read, err := kv.Get(t.Context(), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	if read.Key != key || string(read.Value) != "a" || read.LastIndex != written.LastIndex || read.LastIndex == 0 {
		t.Errorf("read %+v, wrote %+v", read, written)
	}
}

func TestZeroValueIsAnEmptyStore(t *testing.T) {
	var kv memory.Store
	wantMissing(t, &kv)
	watch, err := kv.Watch(t.Context(), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	put(t, &kv, "a", nil, time.Hour)
	wantValue(t, &kv, "a")
	kv.Close()
	for range watch {
	}
}

func TestCallersCannotReachStoredBytes(t *testing.T) {
	kv := open(t)
	value := []byte("good")
	_, written, err := kv.AtomicPut(t.Context(), key, value, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	value[0], written.Value[0] = 'X', 'X'
	read, _ := kv.Get(t.Context(), key, nil)
	read.Value[0] = 'X'
	pairs, _ := kv.List(t.Context(), "", nil)
	pairs[0].Value[0] = 'X'
	ctx, cancel := context.WithCancel(t.Context())
	watch, _ := kv.Watch(ctx, key, nil)
	(<-watch).Value[0] = 'X'
	cancel()
	wantValue(t, kv, "good")
}

func TestEmptyValueIsNotNil(t *testing.T) {
	kv := open(t)
	if err := kv.Put(t.Context(), key, nil, nil); err != nil {
		t.Fatal(err)
	}
	pair, err := kv.Get(t.Context(), key, nil)
	if err != nil || pair.Value == nil || len(pair.Value) != 0 {
		t.Errorf("Get = %+v, %v", pair, err)
	}
}

func TestAtomicPutRefusesWhatHasChanged(t *testing.T) {
	kv := open(t)
	first := put(t, kv, "first", nil, 0)
	second := put(t, kv, "second", first, 0)

	for _, c := range []struct {
		name     string
		previous *store.KVPair
		want     error
	}{
		{"create over an existing key", nil, store.ErrKeyExists},
		{"stale previous", first, store.ErrKeyModified},
		{"index of the future", &store.KVPair{Key: key, LastIndex: second.LastIndex + 1}, store.ErrKeyModified},
		{"index zero", &store.KVPair{Key: key}, store.ErrKeyModified},
	} {
		t.Run(c.name, func(t *testing.T) {
			ok, pair, err := kv.AtomicPut(t.Context(), key, []byte("bad"), c.previous, nil)
			if ok || pair != nil {
				t.Errorf("AtomicPut = %v, %v", ok, pair)
			}
			wantErr(t, err, c.want)
			wantValue(t, kv, "second")
		})
	}

	if err := kv.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	_, _, err := kv.AtomicPut(t.Context(), key, []byte("bad"), second, nil)
	wantErr(t, err, store.ErrKeyNotFound)
	wantMissing(t, kv)
}

func TestIndexNeverComesBack(t *testing.T) {
	kv := open(t)
	first := put(t, kv, "a", nil, 0)
	if _, err := kv.AtomicDelete(t.Context(), key, first); err != nil {
		t.Fatal(err)
	}
	again := put(t, kv, "a", nil, 0)
	if again.LastIndex <= first.LastIndex {
		t.Errorf("index %d after %d", again.LastIndex, first.LastIndex)
	}
	_, _, err := kv.AtomicPut(t.Context(), key, []byte("bad"), first, nil)
	wantErr(t, err, store.ErrKeyModified)
}

func TestAtomicDeleteRefusesWhatHasChanged(t *testing.T) {
	kv := open(t)
	first := put(t, kv, "first", nil, 0)
	second := put(t, kv, "second", first, 0)

	_, err := kv.AtomicDelete(t.Context(), key, nil)
	wantErr(t, err, store.ErrPreviousNotSpecified)
	_, err = kv.AtomicDelete(t.Context(), key, first)
	wantErr(t, err, store.ErrKeyModified)
	wantValue(t, kv, "second")

	ok, err := kv.AtomicDelete(t.Context(), key, second)
	if !ok || err != nil {
		t.Errorf("AtomicDelete = %v, %v", ok, err)
	}
	wantMissing(t, kv)
	_, err = kv.AtomicDelete(t.Context(), key, second)
	wantErr(t, err, store.ErrKeyNotFound)
}

func TestOperatorWritesWhateverIsThere(t *testing.T) {
	kv := open(t)
	wantErr(t, kv.Delete(t.Context(), key), store.ErrKeyNotFound)
	held := put(t, kv, "new", nil, 0)
	if err := kv.Put(t.Context(), key, []byte("old"), nil); err != nil {
		t.Fatal(err)
	}
	wantValue(t, kv, "old")
	_, _, err := kv.AtomicPut(t.Context(), key, []byte("bad"), held, nil)
	wantErr(t, err, store.ErrKeyModified)
	if err := kv.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	wantMissing(t, kv)
}

func TestListFindsAllKeysBeneathADirectory(t *testing.T) {
	kv := open(t)
	for _, k := range []string{"job/2", "job/1", "job/1/done", "job", "jobs", "other"} {
		if err := kv.Put(t.Context(), k, []byte("at "+k), nil); err != nil {
			t.Fatal(err)
		}
	}
	for directory, want := range map[string][]string{
		"job":  {"job/1", "job/1/done", "job/2", "jobs"},
		"job/": {"job/1", "job/1/done", "job/2"},
		"":     {"job", "job/1", "job/1/done", "job/2", "jobs", "other"},
	} {
		pairs, err := kv.List(t.Context(), directory, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, pair := range pairs {
			got = append(got, pair.Key)
			if string(pair.Value) != "at "+pair.Key || pair.LastIndex == 0 {
				t.Errorf("List(%q) has %+v", directory, pair)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("List(%q) = %q, want %q", directory, got, want)
		}
	}
	for _, directory := range []string{"none", "other"} {
		_, err := kv.List(t.Context(), directory, nil)
		wantErr(t, err, store.ErrKeyNotFound)
	}
}

func TestOfManyRivalsOneSwapsEachTime(t *testing.T) {
	kv := open(t)
	const rivals, rounds = 8, 200
	wins := make(chan int, rivals*rounds)
	var wg sync.WaitGroup
	for range rivals {
		wg.Go(func() {
			for range rounds {
				previous, err := kv.Get(t.Context(), key, nil)
				if err != nil && !errors.Is(err, store.ErrKeyNotFound) {
					t.Error(err)
				}
				if ok, pair, _ := kv.AtomicPut(t.Context(), key, []byte("x"), previous, nil); ok {
					wins <- int(pair.LastIndex)
				}
			}
		})
	}
	wg.Wait()
	close(wins)
	seen := make(map[int]bool)
	for index := range wins {
		if seen[index] {
			t.Fatalf("index %d was given twice", index)
		}
		seen[index] = true
	}
	// Indexes are handed out one by one, so a write that lost must not have
	// taken one.
	last, _ := kv.Get(t.Context(), key, nil)
	if int(last.LastIndex) != len(seen) {
		t.Errorf("index is %d after %d writes", last.LastIndex, len(seen))
	}
}

// everyCall names each method and calls it.
var everyCall = map[string]func(context.Context, *memory.Store) error{
	"Get": func(ctx context.Context, kv *memory.Store) error {
		_, err := kv.Get(ctx, key, nil)
		return err
	},
	"AtomicPut": func(ctx context.Context, kv *memory.Store) error {
		_, _, err := kv.AtomicPut(ctx, key+"/new", []byte("bad"), nil, nil)
		return err
	},
	"Put": func(ctx context.Context, kv *memory.Store) error { return kv.Put(ctx, key, []byte("bad"), nil) },
	"AtomicDelete": func(ctx context.Context, kv *memory.Store) error {
		_, err := kv.AtomicDelete(ctx, key, &store.KVPair{Key: key, LastIndex: 1})
		return err
	},
	"Delete": func(ctx context.Context, kv *memory.Store) error { return kv.Delete(ctx, key) },
	"List": func(ctx context.Context, kv *memory.Store) error {
		_, err := kv.List(ctx, "", nil)
		return err
	},
	"Watch": func(ctx context.Context, kv *memory.Store) error {
		_, err := kv.Watch(ctx, key, nil)
		return err
	},
}

func TestEndedContextPreventsEveryCall(t *testing.T) {
	for name, call := range everyCall {
		t.Run(name, func(t *testing.T) {
			kv := open(t)
			put(t, kv, "a", nil, 0)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			wantErr(t, call(ctx, kv), context.Canceled)
			pairs, err := kv.List(t.Context(), "", nil)
			if err != nil || len(pairs) != 1 || pairs[0].LastIndex != 1 {
				t.Errorf("the store changed: %v, %v", pairs, err)
			}
		})
	}
}

func TestClosedStoreRefusesEveryCall(t *testing.T) {
	for name, call := range everyCall {
		t.Run(name, func(t *testing.T) {
			kv := memory.New()
			put(t, kv, "a", nil, time.Hour)
			for range 2 {
				if err := kv.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}
			wantErr(t, call(t.Context(), kv), store.ErrClosed)
		})
	}
}

func BenchmarkGet(b *testing.B) {
	kv := memory.New()
	defer kv.Close()
	value := make([]byte, 200)
	if err := kv.Put(b.Context(), key, value, nil); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := kv.Get(b.Context(), key, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAtomicPut(b *testing.B) {
	for _, ttl := range []time.Duration{0, time.Minute} {
		b.Run(fmt.Sprintf("ttl=%v", ttl), func(b *testing.B) {
			kv := memory.New()
			defer kv.Close()
			var (
				value    = make([]byte, 200)
				opts     = &store.WriteOptions{TTL: ttl}
				previous *store.KVPair
			)
			b.ReportAllocs()
			for b.Loop() {
				_, pair, err := kv.AtomicPut(b.Context(), key, value, previous, opts)
				if err != nil {
					b.Fatal(err)
				}
				previous = pair
			}
		})
	}
}
