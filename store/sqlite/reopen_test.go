package sqlite_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/store"
)

// removeAll removes a file and what SQLite keeps beside it.
func removeAll(t *testing.T, path string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// TestElectionsGoOnInAFileThatIsThereAnew: the file was deleted, or replaced by a backup.
func TestElectionsGoOnInAFileThatIsThereAnew(t *testing.T) {
	for name, disturb := range map[string]func(t *testing.T, path string){
		"deleted": removeAll,
		"put back": func(t *testing.T, path string) {
			removeAll(t, path)
			if err := os.Rename(path+".backup", path); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := newFile(t)
			backup := open(t, path+".backup")
			put(t, backup, key, "a", nil, 0)
			if err := backup.Close(); err != nil {
				t.Fatal(err)
			}
			electiontest.Recovers(t, func(t testing.TB) store.Store { return open(t, path) }, func() { disturb(t, path) })
			if name == "put back" {
				if pair, err := open(t, path).Get(t.Context(), key, nil); err != nil || string(pair.Value) != "a" {
					t.Errorf("of the backup there is %v, %v", pair, err)
				}
			}
		})
	}
}

// TestFilesOfTheFormerOneAreNotTakenForItsSuccessors: SQLite would read the log of one
// together with the other.
func TestFilesOfTheFormerOneAreNotTakenForItsSuccessors(t *testing.T) {
	path := newFile(t)
	kv := open(t, path)
	put(t, kv, key, "a", nil, 0)
	if _, err := kv.Get(t.Context(), key, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := kv.Get(t.Context(), key, nil); err == nil || !strings.Contains(err.Error(), "remove "+path+"-wal and "+path+"-shm") {
			t.Fatalf("%v; want what to remove", err)
		}
	}
	removeAll(t, path)
	for began := time.Now(); ; {
		_, err := kv.Get(t.Context(), key, nil)
		if errors.Is(err, store.ErrKeyNotFound) {
			return
		}
		if time.Since(began) > 10*time.Second {
			t.Fatalf("it is not opened again: %v", err)
		}
	}
}

// TestUsersDatabaseWhoseFileWasReplacedIsNamed: the store cannot open it again.
func TestUsersDatabaseWhoseFileWasReplacedIsNamed(t *testing.T) {
	path := newFile(t)
	kv := newStore(t, openDB(t, path, "_journal_mode=WAL"))
	put(t, kv, key, "a", nil, 0)
	removeAll(t, path)
	for range 2 {
		_, err := kv.Get(t.Context(), key, nil)
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "open it again") {
			t.Errorf("%v; want that it was replaced", err)
		}
	}
}
