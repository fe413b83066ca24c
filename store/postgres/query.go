package postgres

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

// plain has pgx send a statement and its parameters at once, in one round
// trip, and leave no prepared statement behind: the next statement may be on
// another connection of a pooler's.
const plain = pgx.QueryExecModeExec

// errStandby says that what was read may be out of date.
var errStandby = errors.New("the server is a standby, which may lag behind: connect to the primary")

// found is a pair that was read, and how long it has left, 0 for ever.
type found struct {
	pair *store.KVPair
	left time.Duration
}

// read returns the pair under key, nil for none, and how long it has left. Where
// stays is true, no failover to a synchronous standby takes back what it tells.
func (s *Store) read(ctx context.Context, key string, stays bool) (*store.KVPair, time.Duration, error) {
	all, err := s.find(ctx, s.table.read, key, stays)
	if err != nil || len(all) == 0 {
		return nil, 0, err
	}
	return all[0].pair, all[0].left, nil
}

// find runs a statement that reads.
func (s *Store) find(ctx context.Context, statement, what string, stays bool, more ...any) ([]found, error) {
	type row struct {
		standby     bool
		key, waited *string
		index, left *int64
		value       []byte
	}
	// A list may be long, and to trace it costs as much again.
	traced := stays && (statement == s.table.read || s.waits.Load())
	var rows []row
	in := s.limits.Read
	if statement != s.table.read {
		in = s.limits.List
	}
	err := in(ctx, func() (err error) {
		rows, err = ask(ctx, s, traced, statement, append([]any{what, stays}, more...), func(rows pgx.CollectableRow) (r row, err error) {
			return r, rows.Scan(&r.standby, &r.key, &r.index, &r.value, &r.left, nil, &r.waited)
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	if rows[0].waited != nil {
		s.waits.Store(true)
		if !traced {
			return s.find(ctx, statement, what, stays, more...)
		}
	}
	var all []found
	for _, r := range rows {
		if r.standby {
			return nil, errStandby
		}
		if r.index == nil {
			continue
		}
		f := found{pair: &store.KVPair{Key: *r.key, Value: r.value, LastIndex: uint64(*r.index)}}
		if r.left != nil {
			f.left = max(1, time.Duration(*r.left)*time.Microsecond)
		}
		all = append(all, f)
	}
	return all, nil
}

// write returns the index that a statement gave or took away, 0 where it was
// refused, and the one that it saw before, 0 for a missing key.
func (s *Store) write(ctx context.Context, statement string, args []any) (done, seen uint64, err error) {
	type row struct{ done, seen *int64 }
	r, err := ask(ctx, s, true, statement, args, func(rows pgx.CollectableRow) (r row, err error) {
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

// ask runs a statement and returns its rows. It runs it again where the server
// has undone it: then it has not happened. Where the table is missing it makes
// it first. traced is as in run.
func ask[T any](ctx context.Context, s *Store, traced bool, statement string, args []any, row pgx.RowToFunc[T]) ([]T, error) {
	args = append([]any{plain}, args...)
	// A pool's own configuration may have pgx linger on for longer than ctx.
	return base.Await(ctx, func() ([]T, error) {
		statement, err := s.located(ctx, statement)
		if err != nil {
			return nil, err
		}
		made := false
		for {
			all, err := run(ctx, s.pool, traced, statement, args, row)
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
	schema, err := s.located(ctx, s.table.schema)
	if err == nil {
		_, err = s.pool.Exec(ctx, schema, pgx.QueryExecModeSimpleProtocol)
	}
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
	tooManyConnections    = "53300"
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

// explain adds store.ErrNotReachable to an error of a connection that could not be made,
// and what to do where there are too many.
func explain(_ context.Context, err error) error {
	var dial *net.OpError
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) || errors.As(err, &dial) && dial.Op == "dial":
		return fmt.Errorf("%w: %w", store.ErrNotReachable, err)
	case code(err) == tooManyConnections:
		return fmt.Errorf("%w: raise max_connections of the server, or the CONNECTION LIMIT of the role or database, "+
			"or have the programs share connections by a pooler such as PgBouncer", err)
	case err != nil && strings.Contains(err.Error(), "max_client_conn"):
		return fmt.Errorf("%w: raise max_client_conn of PgBouncer, or run fewer programs", err)
	}
	return err
}
