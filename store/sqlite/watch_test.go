package sqlite_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// opened are two stores in one file, one of which writes.
func opened(t *testing.T, settings string) (writer, reader store.Store, path string) {
	t.Helper()
	path = newFile(t)
	writer = open(t, path)
	reader, err := store.Open(t.Context(), urlOf(path)+settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reader.Close() })
	return writer, reader, path
}

func watch(t *testing.T, kv store.Store, key string) <-chan *store.KVPair {
	t.Helper()
	pairs, err := kv.Watch(t.Context(), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	return pairs
}

// wantNext wants a watch to carry a value of the key, or "" for a missing key.
func wantNext(t *testing.T, pairs <-chan *store.KVPair, want string) {
	t.Helper()
	select {
	case pair, ok := <-pairs:
		if !ok {
			t.Fatal("the watch has ended")
		}
		if string(pair.Value) != want || (pair.Value == nil) != (want == "") {
			t.Fatalf("the watch sent %+v, want %q", pair, want)
		}
	case <-time.After(time.Minute):
		t.Fatalf("the watch has not sent %q in a minute", want)
	}
}

func TestWriteByHandIsTold(t *testing.T) {
	writer, reader, path := opened(t, "")
	put(t, writer, key, "a", nil, 0)
	put(t, writer, "other", "x", nil, 0)
	pairs, other := watch(t, reader, key), watch(t, reader, "other")
	wantNext(t, pairs, "a")
	wantNext(t, other, "x")
	db := openDB(t, path, "_pragma=busy_timeout(5000)")
	exec := func(statement string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	exec("DELETE FROM leadership_kv WHERE key = ?")
	wantNext(t, pairs, "")
	exec("INSERT INTO leadership_kv (key, value) VALUES (?, x'62')")
	wantNext(t, pairs, "b")
	select {
	case pair := <-other:
		t.Errorf("the watch of another key sent %+v", pair)
	default:
	}
}

func TestExpiryIsToldInTime(t *testing.T) {
	const ttl, slack = 200 * time.Millisecond, 50 * time.Millisecond
	writer, reader, _ := opened(t, "")
	var late time.Duration
	for range attempts {
		pairs := watch(t, reader, key)
		wantNext(t, pairs, "")
		began := time.Now()
		put(t, writer, key, "a", nil, ttl)
		wantNext(t, pairs, "a")
		written := time.Now()
		wantNext(t, pairs, "")
		if took := time.Since(began); took < ttl {
			t.Errorf("it had expired after %v, want %v", took, ttl)
		}
		if late = time.Since(written) - ttl; late <= slack {
			return
		}
	}
	t.Errorf("it had expired %v after its TTL", late)
}

// TestExpiredPairsDoNotStayInTheFile: the next write with a TTL, once a minute,
// deletes them.
func TestExpiredPairsDoNotStayInTheFile(t *testing.T) {
	path := newFile(t)
	for i := range 3 {
		kv := openURL(t, path)
		// The last one is there for longer.
		put(t, kv, fmt.Sprint("key ", i), "a", nil, []time.Duration{time.Millisecond, time.Millisecond, time.Hour}[i])
		time.Sleep(5 * time.Millisecond)
		kv.Close()
	}
	db := openDB(t, path, "")
	var rows int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM leadership_kv").Scan(&rows); err != nil || rows != 1 {
		t.Errorf("there are %d rows, %v", rows, err)
	}
}

// TestIndexNeverComesBack: not even after the file was closed.
func TestIndexNeverComesBack(t *testing.T) {
	path := newFile(t)
	var last uint64
	for range 3 {
		kv := openURL(t, path)
		pair := put(t, kv, key, "a", nil, 0)
		if pair.LastIndex <= last {
			t.Errorf("index %d after %d", pair.LastIndex, last)
		}
		last = pair.LastIndex
		if _, err := kv.AtomicDelete(t.Context(), key, pair); err != nil {
			t.Fatal(err)
		}
		kv.Close()
	}
}

func TestWatchOfManyEndsWithTheLast(t *testing.T) {
	writer, reader, _ := opened(t, "")
	var ends []context.CancelFunc
	var all []<-chan *store.KVPair
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		pairs, err := reader.Watch(ctx, key, nil)
		if err != nil {
			t.Fatal(err)
		}
		wantNext(t, pairs, "")
		ends, all = append(ends, cancel), append(all, pairs)
	}
	for i, end := range ends {
		end()
		for range all[i] {
		}
	}
	pairs := watch(t, reader, key) // there is no look-out any more
	wantNext(t, pairs, "")
	put(t, writer, key, "a", nil, 0)
	wantNext(t, pairs, "a")
}

// TestListTakesAnyPrefix: also one that is not text, or has no successor.
func TestListTakesAnyPrefix(t *testing.T) {
	kv := open(t, newFile(t))
	for _, key := range []string{"a", "a\x00", "a\xff", "a\xff\xffb", "b", "\xff", "\xff\xff", "%", "_"} {
		put(t, kv, key, "at "+key, nil, 0)
	}
	for directory, want := range map[string][]string{
		"":          {"%", "_", "a", "a\x00", "a\xff", "a\xff\xffb", "b", "\xff", "\xff\xff"},
		"a":         {"a\x00", "a\xff", "a\xff\xffb"},
		"a\xff":     {"a\xff\xffb"},
		"a\xff\xff": {"a\xff\xffb"},
		"\xff":      {"\xff\xff"},
	} {
		pairs, err := kv.List(t.Context(), directory, nil)
		if err != nil {
			t.Errorf("List(%q): %v", directory, err)
		}
		var got []string
		for _, pair := range pairs {
			got = append(got, pair.Key)
			if string(pair.Value) != "at "+pair.Key {
				t.Errorf("List(%q) has %+v", directory, pair)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("List(%q) = %q, want %q", directory, got, want)
		}
	}
	_, err := kv.List(t.Context(), "%", nil)
	wantErr(t, err, store.ErrKeyNotFound)
}
