package postgres

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"
)

// errUnreplicated means that the wait for a synchronous standby was cancelled, by a
// context, depending on the settings of pgx, or by an operator. PostgreSQL then reports
// success with a warning.
var errUnreplicated = errors.New("the wait for a synchronous standby was cancelled, which may not have it: " +
	"what was read or written can be lost in a failover")

// errUnwitnessed means that pgx does not trace the server's answers.
var errUnwitnessed = errors.New("whether the wait for a synchronous standby was cancelled cannot be found out with this version of pgx")

// run runs a statement and returns its rows. If traced is true it returns errUnreplicated
// if the statement was done without the standby.
func run[T any](ctx context.Context, pool *pgxpool.Pool, traced bool, statement string, args []any, row pgx.RowToFunc[T]) ([]T, error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	raw, w := conn.Conn().PgConn(), new(witness)
	if traced {
		raw.Frontend().Trace(w, pgproto3.TracerOptions{SuppressTimestamps: true})
		defer untrace(raw)
	}
	rows, _ := conn.Query(ctx, statement, args...)
	all, err := pgx.CollectRows(rows, row)
	if err == nil && traced {
		err = w.verdict()
	}
	return all, err
}

// untrace ends the trace of a connection. One that was given up ends by itself, and may
// still be in use.
func untrace(conn *pgconn.PgConn) {
	if !conn.IsClosed() {
		conn.Frontend().Untrace()
	}
}

// witness receives the trace of a statement's messages. The warning comes when the
// transaction is committed: after the statement is complete, and before the server is
// ready for the next one. No other notice comes there, because notices below a warning
// are switched off.
//
// OnNotice of pgconn.Config would be simpler, but it cannot be set on an existing pool of
// the user.
type witness struct{ seen atomic.Int32 }

// The states of a witness, in this order.
const (
	complete int32 = iota + 1
	warned
	ready
	cancelled
)

// Write receives a message in the format in which pgproto3 traces it.
func (w *witness) Write(message []byte) (int, error) {
	seen := w.seen.Load()
	is := func(kind string) bool { return bytes.HasPrefix(message, []byte("B\t"+kind+"\t")) }
	switch {
	case seen == 0 && is("CommandComplete"):
		seen = complete
	case seen == complete && is("NoticeResponse"):
		seen = warned
	case seen == complete && is("ReadyForQuery"):
		seen = ready
	case seen == warned && is("ReadyForQuery"):
		seen = cancelled
	}
	w.seen.Store(seen)
	return len(message), nil
}

// verdict returns why a statement that was answered does not count as done, or nil.
func (w *witness) verdict() error {
	switch w.seen.Load() {
	case ready:
		return nil
	case cancelled:
		return errUnreplicated
	default:
		return errUnwitnessed
	}
}
