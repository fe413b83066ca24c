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

// errUnreplicated says that the wait for a synchronous standby was cancelled: by
// a context, as pgx may be set up to do it, or by an operator. PostgreSQL then
// answers that all is done, with a warning beside.
var errUnreplicated = errors.New("the wait for a synchronous standby was cancelled, which may not have it: " +
	"what was read or written can be lost in a failover")

// errUnwitnessed says that pgx does not tell what the server answers.
var errUnwitnessed = errors.New("whether the wait for a synchronous standby was cancelled cannot be told with this version of pgx")

// run runs a statement and returns its rows; where it is traced, errUnreplicated if
// it is done and does not count.
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

// untrace has a connection traced no more. One that was given up ends by itself,
// and may be in use for that.
func untrace(conn *pgconn.PgConn) {
	if !conn.IsClosed() {
		conn.Frontend().Untrace()
	}
}

// witness is what the messages of a statement are traced to. The warning comes
// where the transaction is committed: after the statement is complete, and before
// the server is ready for the next. Nothing else comes there, for notices below a
// warning are switched off by then.
//
// OnNotice of pgconn.Config would tell more, but a pool that is the user's has
// its own by now.
type witness struct{ seen atomic.Int32 }

// What a witness has seen, in this order.
const (
	complete int32 = iota + 1
	warned
	ready
	cancelled
)

// Write takes a message, as pgproto3 traces it.
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

// verdict returns why a statement that was answered does not count as done, if so.
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
