package fence

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
)

// Dialect is the syntax that a database understands.
type Dialect string

// The dialects that SQL knows.
const (
	PostgreSQL Dialect = "postgresql" // 9.5 and later
	SQLite     Dialect = "sqlite"     // 3.35 and later
	MySQL      Dialect = "mysql"      // MySQL 5.7 and later, MariaDB 10.2 and later; on InnoDB
)

// DefaultTable is the table of SQL, if no other is asked for.
const DefaultTable = "leadership_fence"

// SQL checks tokens in a database, within the transaction of the write that
// they are to guard. Make it with NewSQL; the zero value is not usable. All
// methods are safe for concurrent use, as far as the transactions given to
// them are.
//
// Its table has one row a resource. A check writes the row and so locks it until
// the transaction ends: a transaction with another token waits for that, and
// then sees what was committed. So if a lower token passes first, its transaction
// commits before a higher one can pass; and once a higher one has passed, no
// lower one does, unless the higher one is rolled back. It does not matter where
// in the transaction the check stands. At the end, the lock is held for the
// shortest time; transactions of one resource run one at a time from the check on,
// those of one leader too.
//
// This holds on every isolation level. From REPEATABLE READ up PostgreSQL may
// answer with a serialization error (40001) where it would otherwise have found
// a stale token, SQLite with SQLITE_BUSY, and MySQL with a deadlock (1213) or,
// in MariaDB with innodb_snapshot_isolation, 1020: the check has not passed, the
// transaction has to be rolled back, and may be tried again from its start.
//
// A savepoint set before the check must not be rolled back to after it: that
// gives up the lock.
type SQL struct {
	dialect Dialect
	table   string
}

// SQLOption changes what NewSQL makes. An option that is nil changes nothing.
type SQLOption func(*SQL)

// WithTable sets the table: a name of ASCII letters, digits and underscores, or
// two with a dot between them, that needs no quotes. The default is
// DefaultTable.
func WithTable(name string) SQLOption { return func(s *SQL) { s.table = name } }

var tableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$`)

// NewSQL makes a check for a database of that dialect. It does not touch the
// database. It returns leadership.ErrInvalidArgument for a dialect that it does
// not know, or an invalid table name.
func NewSQL(dialect Dialect, opts ...SQLOption) (*SQL, error) {
	s := &SQL{dialect: dialect, table: DefaultTable}
	for _, opt := range opts {
		if opt != nil {
			opt(s)
		}
	}
	switch dialect {
	case PostgreSQL, SQLite, MySQL:
	default:
		return nil, invalid("dialect", fmt.Sprintf("%q", string(dialect)),
			fmt.Sprintf("must be %q, %q or %q", PostgreSQL, SQLite, MySQL))
	}
	if !tableName.MatchString(s.table) {
		return nil, invalid("table", fmt.Sprintf("%q", s.table),
			"must be a name of ASCII letters, digits and underscores, or two with a dot between them")
	}
	return s, nil
}

// Schema returns the statement that creates the table if it is not there.
func (s *SQL) Schema() string {
	columns := "resource TEXT NOT NULL PRIMARY KEY, token BIGINT NOT NULL"
	suffix := ""
	if s.dialect == MySQL {
		// Text would compare 'a' and 'A ' as equal.
		columns = "resource VARBINARY(255) NOT NULL PRIMARY KEY, token BIGINT NOT NULL"
		suffix = " ENGINE=InnoDB"
	}
	return "CREATE TABLE IF NOT EXISTS " + s.table + " (" + columns + ")" + suffix
}

// Execer runs a statement: a *sql.DB, *sql.Conn or *sql.Tx.
type Execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Create creates the table if it is not there. Errors are those of the
// database: in PostgreSQL also when two create it at the same moment.
func (s *SQL) Create(ctx context.Context, db Execer) error {
	if ctx == nil || db == nil {
		return invalid("context or database", "nil", "must not be nil")
	}
	if _, err := db.ExecContext(ctx, s.Schema()); err != nil {
		return fmt.Errorf("fence: create table %s: %w", s.table, err)
	}
	return nil
}

// Statement is a statement with the arguments for its placeholders.
type Statement struct {
	SQL  string
	Args []any
}

// Statements returns the check as statements, for drivers that are not those of
// database/sql. Run them in order, in the transaction of the write. The last
// returns one row with one integer: the highest token, which is for Judge. For
// PostgreSQL and SQLite there is one, for MySQL there are two.
//
// It returns leadership.ErrInvalidArgument as Check does.
func (s *SQL) Statements(resource string, token uint64) ([]Statement, error) {
	if err := checkArguments(resource, token); err != nil {
		return nil, err
	}
	t := int64(token)
	switch s.dialect {
	case PostgreSQL:
		return []Statement{{"INSERT INTO " + s.table + " AS f (resource, token) VALUES ($1, $2)" +
			" ON CONFLICT (resource) DO UPDATE SET token = GREATEST(f.token, excluded.token)" +
			" RETURNING token", []any{resource, t}}}, nil
	case SQLite:
		return []Statement{{"INSERT INTO " + s.table + " AS f (resource, token) VALUES (?, ?)" +
			" ON CONFLICT (resource) DO UPDATE SET token = max(f.token, excluded.token)" +
			" RETURNING token", []any{resource, t}}}, nil
	default:
		// How many rows an INSERT says it has changed depends on the settings of
		// the connection, and MySQL has no RETURNING. So the row, which is locked
		// by then, is read; with a lock again, for a read without one would show
		// it as it was when the transaction began.
		return []Statement{
			{"INSERT INTO " + s.table + " (resource, token) VALUES (?, ?)" +
				" ON DUPLICATE KEY UPDATE token = GREATEST(token, ?)", []any{resource, t, t}},
			{"SELECT token FROM " + s.table + " WHERE resource = ? FOR UPDATE", []any{resource}},
		}, nil
	}
}

// Tx is a transaction: a *sql.Tx, or a *sql.Conn on which one has begun.
type Tx interface {
	Execer
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Check returns nil if token is not below the highest token that has passed for
// resource, and ErrStale if it is; then roll tx back. If it is the caller who
// began the transaction on a *sql.Conn, it has to have begun: outside of one the
// lock is gone when Check returns. For the same reason a *sql.DB is refused.
//
// Check blocks while another transaction that has checked a token of that
// resource is under way, for as long as ctx and the database's own limit allow.
// It returns leadership.ErrInvalidArgument for token 0 and for a resource that
// is not 1 to 255 bytes of UTF-8 without NUL, "." or "..". After any other error,
// which is the database's, it is not known whether the token is stale: roll back.
func (s *SQL) Check(ctx context.Context, tx Tx, resource string, token uint64) error {
	switch t := tx.(type) {
	case nil:
		return invalid("transaction", "nil", "must be a transaction")
	case *sql.DB:
		return invalid("transaction", "a *sql.DB", "must be a transaction: outside of one the check guards nothing")
	case *sql.Tx:
		if t == nil {
			return invalid("transaction", "nil", "must be a transaction")
		}
	}
	if ctx == nil {
		return invalid("context", "nil", "must not be nil")
	}
	statements, err := s.Statements(resource, token)
	if err != nil {
		return err
	}
	last := len(statements) - 1
	for _, statement := range statements[:last] {
		if _, err := tx.ExecContext(ctx, statement.SQL, statement.Args...); err != nil {
			return fmt.Errorf("fence: check %q: %w", resource, err)
		}
	}
	var highest int64
	if err := tx.QueryRowContext(ctx, statements[last].SQL, statements[last].Args...).Scan(&highest); err != nil {
		return fmt.Errorf("fence: check %q: %w", resource, err)
	}
	return Judge(resource, token, uint64(highest))
}
