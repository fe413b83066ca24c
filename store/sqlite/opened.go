package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/seed-a1d591d3/leadership/store"
)

// opened is a file that a store has opened by URL. It prepares every statement once for
// each connection, because parsing takes most of the time of a short statement.
type opened struct {
	path   string
	open   func() (*sql.DB, error)
	anew   func() // called when the file was opened again, which may then have no table
	closed bool

	mu       sync.Mutex
	db       *sql.DB
	file     os.FileInfo // at first
	shm      os.FileInfo // the file of shared memory that SQLite keeps beside it
	prepared map[string]*sql.Stmt
}

// check returns an error if the file is not the one that was opened: processes that open
// it from now on would not share it with this one. It opens the present file for the next
// call.
func (o *opened) check() error {
	file, err := os.Stat(o.path)
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return store.ErrClosed
	case o.file == nil:
		o.file = file // it may not exist yet
		return nil
	case err != nil:
		err = fmt.Errorf("the file was deleted or moved while it was open: %w", err)
	case !os.SameFile(file, o.file):
		err = fmt.Errorf("the file %s was replaced while it was open", o.path)
	default:
		if o.shm == nil {
			o.shm, _ = os.Stat(o.path + "-shm")
		}
		return nil
	}
	if again := o.reopen(); again != nil {
		return fmt.Errorf("%w; %w", err, again)
	}
	return fmt.Errorf("%w; it is opened again", err)
}

// reopen opens the present file, or creates it, unless it would be read together with
// what SQLite keeps beside the old one. It closes the old one first: in one process
// SQLite would lose the locks of files with the same name.
func (o *opened) reopen() error {
	if shm, err := os.Stat(o.path + "-shm"); err == nil && o.shm != nil && os.SameFile(shm, o.shm) {
		return fmt.Errorf("remove %s-wal and %[1]s-shm, which belong to the old file", o.path)
	}
	err := o.db.Close()
	db, openErr := o.open()
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	o.db, o.file, o.shm, o.prepared = db, nil, nil, make(map[string]*sql.Stmt)
	o.anew()
	return nil
}

func (o *opened) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	return o.db.Close()
}

func (o *opened) prepare(ctx context.Context, statement string) (*sql.Stmt, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if stmt := o.prepared[statement]; stmt != nil {
		return stmt, nil
	}
	stmt, err := o.db.PrepareContext(ctx, statement)
	if err == nil {
		o.prepared[statement] = stmt
	}
	return stmt, err
}

func (o *opened) ExecContext(ctx context.Context, statement string, args ...any) (sql.Result, error) {
	stmt, err := o.prepare(ctx, statement)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, args...)
}

func (o *opened) QueryContext(ctx context.Context, statement string, args ...any) (*sql.Rows, error) {
	stmt, err := o.prepare(ctx, statement)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

func (o *opened) QueryRowContext(ctx context.Context, statement string, args ...any) *sql.Row {
	stmt, err := o.prepare(ctx, statement)
	if err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		return o.db.QueryRowContext(ctx, statement, args...) // which fails by itself
	}
	return stmt.QueryRowContext(ctx, args...)
}
