package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/seed-a1d591d3/leadership/store"
)

// How long to wait before a locked database is tried again: at first, and at
// most.
const (
	firstWait   = 500 * time.Microsecond
	longestWait = 10 * time.Millisecond
)

// readers is how many reads of one Store may be under way.
const readers = 4

// attempt is one try at what a call is to do, in one transaction at most. It
// is not told when to end: SQLite is quick, except where the disk is not, and
// interrupting it costs the connection.
type attempt[T any] func(ctx context.Context, conn *sql.Conn) (T, error)

// call tries f until the database is not locked. It returns as soon as ctx has
// ended, even if the disk hangs, and then leaves f to itself: as many as turns
// holds, at most.
func call[T any](ctx context.Context, s *Store, turns chan struct{}, f attempt[T]) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	var locked atomic.Bool
	done := make(chan result, 1)
	err := s.life.Go(ctx, func(ctx context.Context) {
		value, err := patiently(ctx, s, turns, &locked, f)
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
		return none, store.ErrClosed // that is what ended it
	case locked.Load():
		return none, fmt.Errorf("the database is locked by another connection: %w", ctx.Err())
	}
	return none, ctx.Err()
}

// patiently tries f, when it is its turn, until the database is not locked.
//
// SQLite can wait too, by busy_timeout. But it sleeps through the end of a
// context, for up to a tenth of a second at a time.
func patiently[T any](ctx context.Context, s *Store, turns chan struct{}, locked *atomic.Bool, f attempt[T]) (T, error) {
	var none T
	select {
	case turns <- struct{}{}:
		defer func() { <-turns }()
	case <-ctx.Done():
		return none, ctx.Err()
	}
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		if err := ctx.Err(); err != nil {
			return none, err
		}
		value, err := try(ctx, s, f)
		if !isLocked(err) {
			return value, err
		}
		locked.Store(true)
		select {
		case <-time.After(wait/2 + rand.N(wait)):
		case <-ctx.Done():
			return none, ctx.Err()
		}
		locked.Store(false)
	}
}

// try makes one attempt, on a connection that does not wait for locks.
func try[T any](ctx context.Context, s *Store, f attempt[T]) (T, error) {
	var none T
	if err := s.sameFile(); err != nil {
		return none, err
	}
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return none, err
	}
	defer conn.Close()
	ctx = context.WithoutCancel(ctx)

	var timeout int
	if err := conn.QueryRowContext(ctx, "PRAGMA busy_timeout").Scan(&timeout); err != nil {
		return none, err
	}
	if timeout != 0 {
		if _, err := conn.ExecContext(ctx, "PRAGMA busy_timeout = 0"); err != nil {
			return none, err
		}
		// The connection is the user's.
		defer conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", timeout)) //nolint:errcheck // it touches no file
	}
	return f(ctx, conn)
}

// isLocked tells whether another connection was in the way, and nothing has
// happened.
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
