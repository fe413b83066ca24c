package sqlite

import (
	"context"
	"database/sql"
	"errors"
)

// The table. Its id is the index of the pair, and AUTOINCREMENT keeps SQLite
// from giving one again, in the transaction of the write. Keys are blobs:
// text would be compared by the encoding of the database and ends at a NUL in
// places.
//
// sqlite_sequence has the last id given. Deletes take one too, so that it
// changes with every change of the table.
const objects = 3 // that schema makes

var schema = [objects]string{
	`CREATE TABLE IF NOT EXISTS leadership_kv (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		key BLOB NOT NULL UNIQUE,
		value BLOB NOT NULL,
		expires INTEGER -- in ms of Unix time, NULL for never
	)`,
	`CREATE INDEX IF NOT EXISTS leadership_kv_expires ON leadership_kv (expires) WHERE expires IS NOT NULL`,
	`CREATE TRIGGER IF NOT EXISTS leadership_kv_deleted AFTER DELETE ON leadership_kv BEGIN
		UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'leadership_kv';
	END`,
}

// REPLACE deletes the row and inserts another, which an UPDATE would not: so it
// gets a new id.
const (
	sqlInsert  = `INSERT OR REPLACE INTO leadership_kv (key, value, expires) SELECT ?1, ?2, ?3 WHERE `
	sqlLive    = `(expires IS NULL OR expires > ?4)`
	sqlCreate  = sqlInsert + `NOT EXISTS (SELECT 1 FROM leadership_kv WHERE key = ?1 AND ` + sqlLive + `)`
	sqlSwap    = sqlInsert + `EXISTS (SELECT 1 FROM leadership_kv WHERE key = ?1 AND id = ?5 AND ` + sqlLive + `)`
	sqlDelete  = `DELETE FROM leadership_kv WHERE key = ?1 AND id = ?2 AND (expires IS NULL OR expires > ?3)`
	sqlGet     = `SELECT id, value, expires FROM leadership_kv WHERE key = ?1 AND (expires IS NULL OR expires > ?2)`
	sqlList    = `SELECT key, id, value FROM leadership_kv WHERE key > ?1 AND (?2 IS NULL OR key < ?2) AND (expires IS NULL OR expires > ?3) ORDER BY key`
	sqlSweep   = `DELETE FROM leadership_kv WHERE expires <= ?1`
	sqlNothing = `DELETE FROM leadership_kv WHERE 0`
	sqlVersion = `SELECT seq FROM sqlite_sequence WHERE name = 'leadership_kv'`
	sqlObjects = `SELECT count(*) FROM sqlite_schema WHERE name IN ('leadership_kv', 'leadership_kv_expires', 'leadership_kv_deleted')`
	sqlFile    = `SELECT file FROM pragma_database_list WHERE name = 'main'`
)

// prepare makes the table, where it is missing, the first time.
func (s *Store) prepare(ctx context.Context) error {
	if s.prepared.Load() {
		return nil
	}
	_, err := call(ctx, s, s.writing, func(ctx context.Context, conn *sql.Conn) (struct{}, error) {
		return struct{}{}, makeTable(ctx, conn)
	})
	if err == nil {
		s.prepared.Store(true)
	}
	return err
}

func makeTable(ctx context.Context, conn *sql.Conn) error {
	var file string
	if err := conn.QueryRowContext(ctx, sqlFile).Scan(&file); err != nil {
		return err
	}
	if file == "" {
		return errors.New("the database is in memory, where each connection has its own: use a file, or package memory")
	}
	// Who may only read finds the table made.
	var made int
	if err := conn.QueryRowContext(ctx, sqlObjects).Scan(&made); err != nil || made == objects {
		return err
	}
	for _, statement := range schema {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// version returns a number that is another after every change of the table.
func version(ctx context.Context, conn *sql.Conn) (int64, error) {
	var n int64
	err := conn.QueryRowContext(ctx, sqlVersion).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil // nothing was ever written
	}
	return n, err
}

// after returns the key that follows all that begin with prefix, or nil where
// there is none.
func after(prefix string) []byte {
	next := []byte(prefix)
	for i := len(next) - 1; i >= 0; i-- {
		if next[i] < 0xff {
			next[i]++
			return next[:i+1]
		}
	}
	return nil
}
