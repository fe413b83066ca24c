package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

// How long to wait before the next attempt on a locked database. Calls that have waited
// must not be slower than new ones, so the wait does not grow, until the owner of the
// lock must have been stopped.
const (
	usualWait = time.Millisecond
	usual     = time.Second
	longWait  = 10 * time.Millisecond
)

// readers is how many reads of one Store may be under way at once.
const readers = 4

// attempt is one attempt at a call. It has no deadline: SQLite is fast unless the disk is
// slow, and interrupting it costs the connection.
type attempt[T any] func(ctx context.Context, db database) (T, error)

// database runs SQL, on one connection, or by prepared statements on any connection.
type database interface {
	ExecContext(ctx context.Context, statement string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, statement string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, statement string, args ...any) *sql.Row
}

// call calls f until the database is not locked. It returns as soon as ctx has ended,
// even if the disk hangs, and then leaves f to itself. At most as many calls hang as
// turns has room for.
func call[T any](ctx context.Context, s *Store, turns chan struct{}, f attempt[T]) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	var locked atomic.Bool
	done := make(chan result, 1)
	err := s.base.Go(ctx, func(ctx context.Context) {
		value, err := retry(ctx, s, turns, &locked, f)
		done <- result{value, err}
	})
	if err != nil {
		return none, err
	}
	select {
	case r := <-done:
		if r.err == nil || ctx.Err() == nil && !errors.Is(r.err, context.Canceled) {
			return r.value, r.err
		}
	case <-ctx.Done():
	}
	switch {
	case ctx.Err() == nil:
		return none, store.ErrClosed // Close has ended it
	case locked.Load():
		return none, fmt.Errorf("the database was locked by another connection: %w", ctx.Err())
	}
	return none, ctx.Err()
}

// retry waits for its turn, and then calls f until the database is not locked.
//
// SQLite itself can wait, by busy_timeout. But it does not notice the end of a context
// while it sleeps, for up to a tenth of a second.
func retry[T any](ctx context.Context, s *Store, turns chan struct{}, locked *atomic.Bool, f attempt[T]) (T, error) {
	var none T
	select {
	case turns <- struct{}{}:
		defer func() { <-turns }()
	case <-ctx.Done():
		return none, ctx.Err()
	}
	for began := time.Now(); ; {
		if err := ctx.Err(); err != nil {
			return none, err
		}
		value, err := try(ctx, s, f)
		if !isLocked(err) {
			return value, err
		}
		locked.Store(true)
		wait := usualWait
		if time.Since(began) > usual {
			wait = longWait
		}
		if err := base.Sleep(ctx, wait/2+rand.N(wait)); err != nil {
			return none, err
		}
	}
}

// try makes one attempt, on a connection that does not wait for locks.
func try[T any](ctx context.Context, s *Store, f attempt[T]) (T, error) {
	var none T
	if s.opened != nil {
		if err := s.opened.check(); err != nil {
			return none, err
		}
		return f(context.WithoutCancel(ctx), s.opened)
	}
	if err := s.same(); err != nil {
		return none, err
	}
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return none, err
	}
	defer func() { _ = conn.Close() }()
	ctx = context.WithoutCancel(ctx)
	restore, err := impatient(ctx, conn)
	if err != nil {
		return none, err
	}
	defer restore()
	return f(ctx, conn)
}

// same returns an error if the file of the user's database was deleted or replaced: new
// connections would use another file.
func (s *Store) same() error {
	if !s.prepared.Load() {
		return nil
	}
	if file, err := os.Stat(s.path); err != nil || !os.SameFile(file, s.file) {
		return fmt.Errorf("the file %s was deleted, moved or replaced while it was open: "+
			"close the database and open it again, and the store (one of store.Open does so by itself)", s.path)
	}
	return nil
}

// impatient makes a connection of the user fail at once on a locked database, until
// restore is called.
func impatient(ctx context.Context, conn *sql.Conn) (restore func(), err error) {
	var timeout int
	if err := conn.QueryRowContext(ctx, "PRAGMA busy_timeout").Scan(&timeout); err != nil || timeout == 0 {
		return func() {}, err
	}
	set := func(timeout int) error {
		_, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", timeout))
		return err
	}
	return func() { _ = set(timeout) }, set(0) // neither reads the file
}

// isLocked reports whether another connection has the lock, so that nothing was done.
func isLocked(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL:
		return true
	}
	return false
}
