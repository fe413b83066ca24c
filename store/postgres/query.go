package postgres

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/await"
)

// plain has pgx send a statement and its parameters at once, in one round
// trip, and leave no prepared statement behind: the next statement may be on
// another connection of a pooler's.
const plain = pgx.QueryExecModeExec

// errStandby says that what was read may be out of date.
var errStandby = errors.New("the server is a standby, which may lag behind: connect to the primary")

// read returns the pair under key, nil for none, and how long it has left.
func (s *Store) read(ctx context.Context, key string) (*store.KVPair, time.Duration, error) {
	type row struct {
		standby     bool
		index, left *int64
		value       []byte
	}
	r, err := ask(ctx, s, s.table.read, []any{key}, func(rows pgx.CollectableRow) (r row, err error) {
		return r, rows.Scan(&r.standby, &r.index, &r.value, &r.left)
	})
	switch {
	case err != nil:
		return nil, 0, err
	case r[0].standby:
		return nil, 0, errStandby
	case r[0].index == nil:
		return nil, 0, nil
	}
	pair := &store.KVPair{Key: key, Value: r[0].value, LastIndex: uint64(*r[0].index)}
	if r[0].left == nil {
		return pair, 0, nil
	}
	return pair, max(1, time.Duration(*r[0].left)*time.Microsecond), nil
}

// write returns the index that a statement gave or took away, 0 where it was
// refused, and the one that it saw before, 0 for a missing key.
func (s *Store) write(ctx context.Context, statement string, args []any) (done, seen uint64, err error) {
	type row struct{ done, seen *int64 }
	r, err := ask(ctx, s, statement, args, func(rows pgx.CollectableRow) (r row, err error) {
		return r, rows.Scan(&r.done, &r.seen, nil, nil)
	})
	if err != nil {
		return 0, 0, err
	}
	if r[0].done != nil {
		done = uint64(*r[0].done)
	}
	if r[0].seen != nil {
		seen = uint64(*r[0].seen)
	}
	return done, seen, nil
}

func (s *Store) list(ctx context.Context, directory string) ([]*store.KVPair, error) {
	if err := s.life.Check(ctx); err != nil {
		return nil, err
	}
	if err := checkText("directory", directory); err != nil {
		return nil, err
	}
	return ask(ctx, s, s.table.list, []any{directory}, func(rows pgx.CollectableRow) (*store.KVPair, error) {
		pair := new(store.KVPair)
		return pair, rows.Scan(&pair.Key, &pair.LastIndex, &pair.Value)
	})
}

// ask runs a statement and returns its rows. It runs it again where the server
// has undone it: then it has not happened. Where the table is missing it makes
// it first.
func ask[T any](ctx context.Context, s *Store, statement string, args []any, row pgx.RowToFunc[T]) ([]T, error) {
	args = append([]any{plain}, args...)
	// A pool's own configuration may have pgx linger on for longer than ctx.
	return await.Call(ctx, func() ([]T, error) {
		made := false
		for {
			rows, _ := s.pool.Query(ctx, statement, args...)
			all, err := pgx.CollectRows(rows, row)
			switch code(err) {
			case serializationFailure, deadlockDetected:
				if ctx.Err() == nil {
					continue
				}
			case undefinedTable:
				if made {
					return nil, err
				}
				if err := s.make(ctx); err != nil {
					return nil, err
				}
				made = true
				continue
			}
			if s.owned && ctx.Err() == nil && broken(err) {
				// The others of its time are likely to be broken as well.
				s.pool.Reset()
			}
			return all, err
		}
	})
}

// make makes the table.
func (s *Store) make(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, s.table.schema, pgx.QueryExecModeSimpleProtocol)
	switch code(err) {
	case uniqueViolation, duplicateTable, duplicateObject:
		// Somebody else makes it right now: IF NOT EXISTS does not see that.
		return nil
	case insufficientPrivilege:
		return fmt.Errorf("the table is not there and this role may not make it; have its owner run what postgres.Schema returns: %w", err)
	}
	return err
}

// The codes of errors that are acted on.
const (
	serializationFailure  = "40001"
	deadlockDetected      = "40P01"
	uniqueViolation       = "23505"
	undefinedTable        = "42P01"
	duplicateTable        = "42P07"
	duplicateObject       = "42710"
	insufficientPrivilege = "42501"
	queryCanceled         = "57014"
)

// code returns the code that the server gave an error, "" for none.
func code(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// broken tells whether an error is of the connection, and not of what was
// asked. Servers put Severity into their own language; some poolers send nothing
// else.
func broken(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return cmp.Or(pg.SeverityUnlocalized, pg.Severity) != "ERROR"
	}
	return err != nil
}

// topic is what watches are told a key by: a notification has no room for each
// key.
func topic(key string) string {
	hash := sha256.Sum256([]byte(key))
	return base64.RawStdEncoding.EncodeToString(hash[:16])
}

func failed(op, key string, err error) error {
	return fmt.Errorf("postgres: %s %q: %w", op, key, reached(err))
}

// reached adds store.ErrNotReachable to an error that says so.
func reached(err error) error {
	var dial *net.OpError
	var dns *net.DNSError
	if errors.As(err, &dns) || errors.As(err, &dial) && dial.Op == "dial" {
		return fmt.Errorf("%w: %w", store.ErrNotReachable, err)
	}
	return err
}
