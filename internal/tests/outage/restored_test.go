package outage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

// TestStaleWriteIsRefusedAfterAnOlderStateWasRestored: the store then gives the index
// of a write that is lost to another, and somebody still holds the lost one. Redis
// is not here, for its indexes are the time, and Consul and ZooKeeper cannot
// compare values.
func TestStaleWriteIsRefusedAfterAnOlderStateWasRestored(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) (url string, save, restore func()){
		"etcd": func(t *testing.T) (string, func(), func()) {
			s := servers.Etcd(t)
			return "etcd://" + s.Addr, s.Save, s.Restore
		},
		"postgres": func(t *testing.T) (string, func(), func()) {
			s := servers.Postgres(t)
			return s.Addr, s.Save, s.Restore
		},
		"sqlite": func(t *testing.T) (string, func(), func()) {
			path := filepath.Join(t.TempDir(), "kv.db")
			return "sqlite://" + path, func() { copyFile(t, path, path+".saved") }, func() { copyFile(t, path+".saved", path) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			url, save, restore := start(t)
			kv := open(t, url)
			kept := put(t, kv, "kept", nil)
			closeStore(t, kv)
			save()
			kv = open(t, url)
			lost := put(t, kv, "lost", kept)
			closeStore(t, kv)
			restore()
			kv = open(t, url)
			defer closeStore(t, kv)
			newer := put(t, kv, "newer", kept)
			if newer.LastIndex != lost.LastIndex {
				t.Fatalf("the index that comes again is %d, not %d", newer.LastIndex, lost.LastIndex)
			}
			if _, _, err := kv.AtomicPut(t.Context(), key, []byte("stale"), lost, nil); !errors.Is(err, store.ErrKeyModified) {
				t.Errorf("AtomicPut over a pair that is lost: %v; want ErrKeyModified", err)
			}
			if _, err := kv.AtomicDelete(t.Context(), key, lost); !errors.Is(err, store.ErrKeyModified) {
				t.Errorf("AtomicDelete of a pair that is lost: %v; want ErrKeyModified", err)
			}
			if found, err := kv.Get(t.Context(), key, nil); err != nil || string(found.Value) != "newer" {
				t.Errorf("Get found %v, %v; want the newer value", found, err)
			}
			put(t, kv, "newest", newer)
		})
	}
}

func open(t *testing.T, url string) store.Store {
	t.Helper()
	kv, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

func closeStore(t *testing.T, kv store.Store) {
	t.Helper()
	if err := kv.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// put creates key, or replaces previous.
func put(t *testing.T, kv store.Store, value string, previous *store.KVPair) *store.KVPair {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, pair, err := kv.AtomicPut(ctx, key, []byte(value), previous, nil)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// copyFile copies the file of a database that is closed.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
