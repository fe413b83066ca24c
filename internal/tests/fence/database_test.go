package fence_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"

	"github.com/seed-a1d591d3/leadership/fence"
	"github.com/seed-a1d591d3/leadership/internal/servers"
)

// database is one that SQL is tested with.
type database struct {
	dialect fence.Dialect
	levels  []sql.IsolationLevel
	// open returns a pool. What it has tables of is new.
	open func(t testing.TB) *sql.DB
	// waiting counts the transactions that wait for a lock. Where it is empty,
	// they cannot be counted, and wait until the busy timeout.
	waiting string
}

var databases = map[string]database{
	"postgres": {
		dialect: fence.PostgreSQL,
		levels:  []sql.IsolationLevel{sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable},
		open:    func(t testing.TB) *sql.DB { return pool(t, "pgx", servers.Shared(t, "postgres").Addr) },
		waiting: "SELECT count(*) FROM pg_locks WHERE NOT granted",
	},
	"mariadb": {
		dialect: fence.MySQL,
		levels: []sql.IsolationLevel{
			sql.LevelReadUncommitted, sql.LevelReadCommitted,
			sql.LevelRepeatableRead, sql.LevelSerializable,
		},
		open:    func(t testing.TB) *sql.DB { return pool(t, "mysql", servers.Shared(t, "mariadb").Addr) },
		waiting: mariaDBWaiting,
	},
	"mariadb, counting found rows": {
		dialect: fence.MySQL,
		levels:  []sql.IsolationLevel{sql.LevelRepeatableRead},
		open: func(t testing.TB) *sql.DB {
			return pool(t, "mysql", servers.Shared(t, "mariadb").Addr+"?clientFoundRows=true&interpolateParams=true")
		},
		waiting: mariaDBWaiting,
	},
	"mariadb, isolating snapshots": {
		dialect: fence.MySQL,
		levels:  []sql.IsolationLevel{sql.LevelRepeatableRead, sql.LevelSerializable},
		open: func(t testing.TB) *sql.DB {
			return pool(t, "mysql", servers.Shared(t, "mariadb").Addr+"?innodb_snapshot_isolation=ON")
		},
		waiting: mariaDBWaiting,
	},
	"sqlite": {
		dialect: fence.SQLite,
		levels:  []sql.IsolationLevel{sql.LevelDefault},
		open:    func(t testing.TB) *sql.DB { return openSQLite(t, "") },
	},
	"sqlite, write-ahead": {
		dialect: fence.SQLite,
		levels:  []sql.IsolationLevel{sql.LevelDefault},
		open:    func(t testing.TB) *sql.DB { return openSQLite(t, "&_pragma=journal_mode(wal)") },
	},
}

// innodb_trx would show a state of the past to those who ask often.
const mariaDBWaiting = "SELECT variable_value FROM information_schema.global_status" +
	" WHERE variable_name = 'Innodb_row_lock_current_waits'"

func openSQLite(t testing.TB, pragmas string) *sql.DB {
	if testing.Short() {
		pragmas += "&_pragma=synchronous(off)"
	}
	return pool(t, "sqlite", "file:"+filepath.Join(t.TempDir(), "db")+"?_pragma=busy_timeout(200)"+pragmas)
}

// pool opens a database and makes the tables new.
func pool(t testing.TB, driver, source string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for _, table := range []string{fence.DefaultTable, "guarded"} {
		if _, err := db.ExecContext(t.Context(), "DROP TABLE IF EXISTS "+table); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// eachDatabase runs f for every database and isolation level.
func eachDatabase(t *testing.T, f func(t *testing.T, d database, db *sql.DB, level sql.IsolationLevel)) {
	for name, d := range databases {
		for _, level := range d.levels {
			t.Run(fmt.Sprintf("%s, %v", name, level), func(t *testing.T) {
				db := d.open(t)
				check, err := fence.NewSQL(d.dialect)
				if err != nil {
					t.Fatal(err)
				}
				for range 2 { // the second time it is there
					if err := check.Create(t.Context(), db); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := db.ExecContext(t.Context(), "CREATE TABLE guarded (resource VARCHAR(50), token BIGINT)"); err != nil {
					t.Fatal(err)
				}
				f(t, d, db, level)
			})
		}
	}
}

// sqlCheck is the check in a transaction: SQL's own, or one that is wrong.
type sqlCheck func(ctx context.Context, tx fence.Tx, resource string, token uint64) error

func right(t testing.TB, d database) sqlCheck {
	t.Helper()
	s, err := fence.NewSQL(d.dialect)
	if err != nil {
		t.Fatal(err)
	}
	return s.Check
}

// twoSteps reads the highest token without a lock and writes without a
// condition.
func twoSteps(t *testing.T, d database) sqlCheck {
	return func(ctx context.Context, tx fence.Tx, resource string, token uint64) error {
		question := "SELECT token FROM " + fence.DefaultTable + " WHERE resource = ?"
		if d.dialect == fence.PostgreSQL {
			question = strings.Replace(question, "?", "$1", 1)
		}
		var highest uint64
		if err := tx.QueryRowContext(ctx, question, resource).Scan(&highest); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		return fence.Judge(resource, token, highest)
	}
}

// aborted reports whether err is a database's way of saying: roll back and try
// again.
func aborted(err error) bool {
	var p *pgconn.PgError
	var m *mysql.MySQLError
	var s *sqlite.Error
	switch {
	case errors.As(err, &p):
		return p.Code == "40001" || p.Code == "40P01"
	case errors.As(err, &m):
		return m.Number == 1213 || m.Number == 1205 || m.Number == 1020
	case errors.As(err, &s):
		return s.Code()&0xff == 5 // SQLITE_BUSY
	}
	return false
}

func begin(t testing.TB, db *sql.DB, level sql.IsolationLevel) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: level})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	return tx
}

// commit checks token in a transaction of its own.
func commit(t testing.TB, db *sql.DB, level sql.IsolationLevel, check sqlCheck, resource string, token uint64) error {
	t.Helper()
	tx := begin(t, db, level)
	if err := check(t.Context(), tx, resource, token); err != nil {
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		return err
	}
	return tx.Commit()
}
