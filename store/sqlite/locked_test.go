package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/goroutines"
	"github.com/seed-a1d591d3/leadership/store"
)

// lock holds the write lock of a file, as a process that was halted in the
// middle of a write does, until it is let go.
func lock(t *testing.T, path string) (unlock func()) {
	t.Helper()
	conn, err := openDB(t, path, "_pragma=busy_timeout(5000)").Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	exec := func(statement string) {
		if _, err := conn.ExecContext(context.Background(), statement); err != nil {
			t.Error(err)
		}
	}
	exec("BEGIN EXCLUSIVE")
	unlock = func() { exec("ROLLBACK"); _ = conn.Close() }
	return unlock
}

// inTime calls f with a context that ends, and wants it to return then.
func inTime(t *testing.T, what string, f func(ctx context.Context) error) {
	t.Helper()
	const patience, slack = 50 * time.Millisecond, 100 * time.Millisecond
	var took time.Duration
	var err error
	for range attempts {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		began := time.Now()
		err = f(ctx)
		took = time.Since(began)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%s: %v, want DeadlineExceeded", what, err)
		}
		if took <= patience+slack && strings.Contains(err.Error(), "locked") {
			return
		}
	}
	t.Errorf("%s returned %v after its context had ended, with %v", what, took-patience, err)
}

func TestCallsOnALockedFileEndWithTheirContexts(t *testing.T) {
	path := newFile(t)
	user := newStore(t, openDB(t, path, "_pragma=journal_mode(WAL)&_pragma=busy_timeout(60000)"))
	defer user.Close()
	for name, kv := range map[string]store.Store{"by URL": open(t, path), "of the user": user} {
		t.Run(name, func(t *testing.T) {
			key := "locked " + name
			pair := put(t, kv, key, "a", nil, 0)
			// Calls that are given up may be made all the same, when the lock is gone.
			stale := &store.KVPair{Key: key, LastIndex: pair.LastIndex + 1000}
			watch, err := kv.Watch(t.Context(), key, nil)
			if err != nil {
				t.Fatal(err)
			}
			<-watch
			unlock := lock(t, path)
			goroutines.Of(func(count func() int) {
				for range 20 {
					inTime(t, "AtomicPut", func(ctx context.Context) error {
						_, _, err := kv.AtomicPut(ctx, key, []byte("bad"), stale, nil)
						return err
					})
					inTime(t, "AtomicDelete", func(ctx context.Context) error {
						_, err := kv.AtomicDelete(ctx, key, stale)
						return err
					})
				}
				if n := count(); n > 5 {
					t.Errorf("%d goroutines are left of the calls, want 5 at most", n)
				}
			})
			// Readers are not held up, in WAL mode.
			if read, err := kv.Get(t.Context(), key, nil); err != nil || string(read.Value) != "a" {
				t.Errorf("Get = %v, %v", read, err)
			}
			unlock()
			put(t, kv, key, "b", pair, 0)
			for read := range watch {
				if string(read.Value) == "b" {
					return
				}
			}
			t.Error("the watch has ended")
		})
	}
	checkIntegrity(t, path)
}

func TestCloseDoesNotWaitForALock(t *testing.T) {
	path := newFile(t)
	kv := openURL(t, path)
	defer lock(t, path)()
	ended := make(chan error)
	go func() {
		_, _, err := kv.AtomicPut(context.Background(), key, nil, nil, nil)
		ended <- err
	}()
	time.Sleep(20 * time.Millisecond) // so that it waits, most likely
	if err := kv.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	wantErr(t, <-ended, store.ErrClosed)
}

func TestOpenOfALockedFileEndsWithItsContext(t *testing.T) {
	path := newFile(t)
	openURL(t, path).Close()
	defer lock(t, path)()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := store.Open(ctx, urlOf(path))
	wantErr(t, err, store.ErrNotReachable)
	if err == nil || !strings.Contains(err.Error(), "locked") {
		t.Errorf("%v: want it to say why", err)
	}
}

// TestConnectionsOfTheUserKeepTheirPatience: each call switches busy_timeout off.
func TestConnectionsOfTheUserKeepTheirPatience(t *testing.T) {
	db := openDB(t, newFile(t), "_pragma=journal_mode(WAL)&_pragma=busy_timeout(1234)")
	db.SetMaxOpenConns(1)
	kv := newStore(t, db)
	defer kv.Close()
	put(t, kv, key, "a", nil, 0)
	_, _, err := kv.AtomicPut(t.Context(), key, nil, nil, nil)
	wantErr(t, err, store.ErrKeyExists)
	var timeout int
	if err := db.QueryRowContext(t.Context(), "PRAGMA busy_timeout").Scan(&timeout); err != nil || timeout != 1234 {
		t.Errorf("the busy timeout is %d, %v", timeout, err)
	}
}

// TestPoolOfTheUserIsNotUsedUp: its only connection is free between calls, and calls wait
// for it until their contexts end.
func TestPoolOfTheUserIsNotUsedUp(t *testing.T) {
	db := openDB(t, newFile(t), "_pragma=journal_mode(WAL)")
	db.SetMaxOpenConns(1)
	kv := newStore(t, db)
	defer kv.Close()
	watch, err := kv.Watch(t.Context(), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	<-watch
	tx, err := db.BeginTx(t.Context(), &sql.TxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = kv.Get(ctx, key, nil)
	wantErr(t, err, context.DeadlineExceeded)
	if _, err := tx.ExecContext(t.Context(), "CREATE TABLE theirs (n)"); err != nil {
		t.Error(err)
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
	put(t, kv, key, "a", nil, 0)
	if pair := <-watch; string(pair.Value) != "a" {
		t.Errorf("the watch sent %+v", pair)
	}
	if err := kv.Close(); err != nil {
		t.Error(err)
	}
	if _, err := db.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO theirs VALUES (%d)", 1)); err != nil {
		t.Errorf("the user's database after Close: %v", err)
	}
}
