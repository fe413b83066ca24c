package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"sync"
)

// opened is a file that a store has opened by itself. It prepares every
// statement once for each connection: most of the time of a short one is its
// parsing.
type opened struct {
	path string
	db   *sql.DB

	mu       sync.Mutex
	file     os.FileInfo // at first
	prepared map[string]*sql.Stmt
}

// check returns an error if the file is not the one that was opened: processes
// that open it from now on would know nothing of this one.
func (o *opened) check() error {
	file, err := os.Stat(o.path)
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.file == nil:
		o.file = file // it may be still to be made
		return nil
	case err != nil:
		return fmt.Errorf("the file was deleted or moved while it was open: %w", err)
	case !os.SameFile(file, o.file):
		return fmt.Errorf("the file %s was replaced while it was open", o.path)
	}
	return nil
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
		return o.db.QueryRowContext(ctx, statement, args...) // which fails by itself
	}
	return stmt.QueryRowContext(ctx, args...)
}
