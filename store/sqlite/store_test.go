package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/sqlite"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(childRole); role != "" {
		beChild(role)
	}
	goleak.VerifyTestMain(m)
}

const key = "service/leader"

// newFile returns the path of a file that is not there yet.
func newFile(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "election ?#%.db")
}

// urlOf returns the URL of a file.
func urlOf(path string) string {
	return (&url.URL{Scheme: "sqlite", Path: path}).String()
}

// openURL opens a file by URL, for the caller to close.
func openURL(t testing.TB, path string) store.Store {
	t.Helper()
	kv, err := store.Open(context.Background(), urlOf(path))
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

// open opens a file by URL until the test ends.
func open(t testing.TB, path string) store.Store {
	t.Helper()
	kv := openURL(t, path)
	t.Cleanup(func() {
		if err := kv.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return kv
}

// openDB opens a file as users do, with the settings that it is given, until the
// test ends.
func openDB(t testing.TB, path, settings string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: settings}).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return db
}

// newStore makes a store in db, for the caller to close.
func newStore(t testing.TB, db *sql.DB, opts ...sqlite.Option) store.Store {
	t.Helper()
	kv, err := sqlite.New(db, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

// put creates key, or replaces previous, and returns the pair as written.
func put(t testing.TB, kv store.Store, key, value string, previous *store.KVPair, ttl time.Duration) *store.KVPair {
	t.Helper()
	ok, pair, err := kv.AtomicPut(t.Context(), key, []byte(value), previous, &store.WriteOptions{TTL: ttl})
	if err != nil || !ok {
		t.Fatalf("AtomicPut(%q) = %v, %v", value, ok, err)
	}
	return pair
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, want %v", err, want)
	}
}

// checkIntegrity wants SQLite to find nothing wrong with a file.
func checkIntegrity(t testing.TB, path string) {
	t.Helper()
	db := openDB(t, path, "_pragma=busy_timeout(5000)")
	var verdict string
	if err := db.QueryRowContext(context.Background(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity_check: %s, %v", verdict, err)
	}
}

func TestElections(t *testing.T) {
	path := newFile(t)
	electiontest.Run(t, electiontest.Env{Open: func(t testing.TB) store.Store { return openURL(t, path) }})
	checkIntegrity(t, path)
}
