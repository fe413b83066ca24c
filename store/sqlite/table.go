package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// The table. Its id is the index of the pair, and AUTOINCREMENT keeps SQLite from using
// an id again. Keys are blobs: the comparison of text depends on the encoding of the
// database, and in places text ends at a NUL.
//
// sqlite_sequence has the last id that was used. Deletes use one as well, so it changes
// with every change of the table.
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

// REPLACE deletes the row and inserts a new one with a new id; an UPDATE would keep the
// id.
const (
	sqlInsert  = `INSERT OR REPLACE INTO leadership_kv (key, value, expires) SELECT ?1, ?2, ?3 WHERE `
	sqlLive    = `(expires IS NULL OR expires > ?4)`
	sqlCreate  = sqlInsert + `NOT EXISTS (SELECT 1 FROM leadership_kv WHERE key = ?1 AND ` + sqlLive + `)`
	sqlSwap    = sqlInsert + `EXISTS (SELECT 1 FROM leadership_kv WHERE key = ?1 AND id = ?5 AND value = ?6 AND ` + sqlLive + `)`
	sqlDelete  = `DELETE FROM leadership_kv WHERE key = ?1 AND id = ?2 AND value = ?4 AND (expires IS NULL OR expires > ?3)`
	sqlGet     = `SELECT id, value, expires FROM leadership_kv WHERE key = ?1 AND (expires IS NULL OR expires > ?2)`
	sqlList    = `SELECT key, id, value FROM leadership_kv WHERE key > ?1 AND (?2 IS NULL OR key < ?2) AND (expires IS NULL OR expires > ?3) ORDER BY key`
	sqlSweep   = `DELETE FROM leadership_kv WHERE expires <= ?1`
	sqlNothing = `DELETE FROM leadership_kv WHERE 0`
	sqlChanges = `SELECT seq, NULL FROM sqlite_sequence WHERE name = 'leadership_kv' UNION ALL SELECT id, key FROM leadership_kv WHERE id > ?1`
	sqlObjects = `SELECT count(*) FROM sqlite_schema WHERE name IN ('leadership_kv', 'leadership_kv_expires', 'leadership_kv_deleted')`
	sqlFile    = `SELECT file, journal_mode FROM pragma_database_list, pragma_journal_mode WHERE name = 'main'`
)

// prepare creates the table if it is missing, in the first call.
func (s *Store) prepare(ctx context.Context) error {
	if s.prepared.Load() {
		return nil
	}
	_, err := call(ctx, s, s.writing, func(ctx context.Context, db database) (struct{}, error) {
		if s.prepared.Load() {
			return struct{}{}, nil // by the call before
		}
		path, err := makeTable(ctx, db)
		if err == nil && s.opened == nil {
			s.file, err = os.Stat(path)
		}
		if err == nil {
			if s.path != path {
				s.path = path
			}
			s.prepared.Store(true)
		}
		return struct{}{}, err
	})
	return err
}

// makeTable creates what is missing, and returns the path of the file.
func makeTable(ctx context.Context, db database) (path string, err error) {
	var mode string
	switch err := db.QueryRowContext(ctx, sqlFile).Scan(&path, &mode); {
	case err != nil:
		return "", err
	case path == "":
		return "", errors.New("the database is in memory, where each connection may have its own: use a file, or package memory")
	case mode != "wal":
		return "", fmt.Errorf("the journal mode of %s is %s and must be WAL: PRAGMA journal_mode = WAL sets it, on a disk of this machine", path, mode)
	}
	// A process that may only read does not create anything.
	var made int
	if err := db.QueryRowContext(ctx, sqlObjects).Scan(&made); err != nil || made == objects {
		return path, err
	}
	for _, statement := range schema {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return "", err
		}
	}
	return path, nil
}

// changes are changes of the table since a version.
type changes struct {
	version int64    // differs after every change
	keys    []string // that were written
	more    bool     // other keys may have changed
}

// since returns the changes since a version. A delete leaves no row: a missing version
// shows it.
func since(ctx context.Context, db database, version int64) (changes, error) {
	rows, err := db.QueryContext(ctx, sqlChanges, version)
	if err != nil {
		return changes{}, err
	}
	defer func() { _ = rows.Close() }()
	var c changes
	for rows.Next() {
		var id int64
		var key []byte
		if err := rows.Scan(&id, &key); err != nil {
			return changes{}, err
		}
		if key == nil {
			c.version = id
		} else {
			c.keys = append(c.keys, string(key))
		}
	}
	c.more = c.version-version != int64(len(c.keys))
	return c, rows.Err()
}

// after returns the first key behind all that begin with prefix, or nil if there is none.
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
