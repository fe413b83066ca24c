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

// plain makes pgx send a statement and its parameters in one round trip, without a
// prepared statement: a pooler may run the next statement on another connection.
const plain = pgx.QueryExecModeExec

// errStandby means that the result of a read may be out of date.
var errStandby = errors.New("the server is a standby, which may lag behind: connect to the primary")

// found is a pair that was read, and the time that is left of its TTL, 0 without one.
type found struct {
	pair *store.KVPair
	left time.Duration
}

// read returns the pair under key, or nil, and the time that is left of its TTL. If stays
// is true, no failover to a synchronous standby undoes what it returns.
func (s *Store) read(ctx context.Context, key string, stays bool) (*store.KVPair, time.Duration, error) {
	all, err := s.find(ctx, s.table.read, key, stays)
	if err != nil || len(all) == 0 {
		return nil, 0, err
	}
	return all[0].pair, all[0].left, nil
}

// find runs a statement that reads, and returns what it finds.
func (s *Store) find(ctx context.Context, statement, what string, stays bool, more ...any) ([]found, error) {
	type row struct {
		standby     bool
		key, waited *string
		index, left *int64
		value       []byte
	}
	// A list may be long, and tracing it doubles its cost.
	traced := stays && (statement == s.table.read || s.waits.Load())
	var rows []row
	in := s.limits.List
	if statement == s.table.read || statement == s.table.many {
		in = s.limits.Read
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

// write runs a statement that writes. It returns the index that the statement has created
// or deleted, 0 if it was refused, and the index before, 0 for a missing key.
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

// ask runs a statement and returns its rows. It runs the statement again if the server
// has undone it, so that it had no effect, and after creating the table if that is
// missing. traced is as in run.
func ask[T any](ctx context.Context, s *Store, traced bool, statement string, args []any, row pgx.RowToFunc[T]) ([]T, error) {
	args = append([]any{plain}, args...)
	// With some configurations of a pool, pgx returns later than ctx ends.
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
				// The other connections are probably broken as well.
				s.pool.Reset()
			}
			return all, err
		}
	})
}

// make creates the table.
func (s *Store) make(ctx context.Context) error {
	schema, err := s.located(ctx, s.table.schema)
	if err == nil {
		_, err = s.pool.Exec(ctx, schema, pgx.QueryExecModeSimpleProtocol)
	}
	switch code(err) {
	case uniqueViolation, duplicateTable, duplicateObject:
		// Another client is creating it at the same time, which IF NOT EXISTS does not
		// notice.
		return nil
	case insufficientPrivilege:
		return fmt.Errorf("the table does not exist and this role may not create it: its owner must run the SQL of postgres.Schema: %w", err)
	}
	return err
}

// The codes of errors that are handled.
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

// code returns the code of an error of the server, or "".
func code(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// broken reports whether an error is one of the connection, and not of the statement.
// Servers translate Severity into their language; some poolers send no other.
func broken(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return cmp.Or(pg.SeverityUnlocalized, pg.Severity) != "ERROR"
	}
	return err != nil
}

// topic returns the name of a key in notifications, in which a key may not fit.
func topic(key string) string {
	hash := sha256.Sum256([]byte(key))
	return base64.RawStdEncoding.EncodeToString(hash[:16])
}

const (
	topicLength = 22 // of a topic

	// noteLimit is how long a key may be that is in its notifications: those may not have 8,000
	// bytes.
	noteLimit = 7000
)

// note returns what is notified of a change of key: its topic, and the key if it fits.
func note(key string) string {
	if len(key) > noteLimit {
		return topic(key)
	}
	return topic(key) + key
}

// cutNote returns the parts of a note. The key is empty where it did not fit.
func cutNote(note string) (topic, key string) {
	n := min(topicLength, len(note))
	return note[:n], note[n:]
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
