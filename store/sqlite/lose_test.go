package sqlite

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// TestWatchThatBeginsWhileOthersAreLostIsTold: the file is missing for a moment, and the
// watches that end because of that have not ended yet when another begins.
func TestWatchThatBeginsWhileOthersAreLostIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv.db")
	var stores [2]*Store
	for i := range stores {
		kv, err := store.Open(t.Context(), (&url.URL{Scheme: "sqlite", Path: path}).String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = kv.Close() }()
		stores[i] = kv.(*Store)
	}
	s, writer := stores[0], stores[1]

	lost, cancel := context.WithCancel(t.Context())
	old := &watch{key: "key", changed: make(chan struct{}, 1), lost: cancel}
	if err := s.add(old); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	<-lost.Done()
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}

	pairs, err := s.Watch(t.Context(), "key", nil)
	if err != nil {
		t.Fatal(err)
	}
	<-pairs
	s.remove(old) // which the new look-out outlives
	if _, _, err := writer.AtomicPut(t.Context(), "key", []byte("a"), nil, nil); err != nil {
		t.Fatal(err)
	}
	select {
	case pair, ok := <-pairs:
		if !ok || string(pair.Value) != "a" {
			t.Errorf("the watch sent %+v, %v", pair, ok)
		}
	case <-time.After(20 * time.Second):
		t.Error("the watch has fallen silent")
	}
}
