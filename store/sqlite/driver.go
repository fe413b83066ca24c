package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-a1d591d3/leadership/store"
)

func init() {
	store.Register("sqlite", store.Driver{Example: example, Params: []string{"poll"}, Resolve: resolve, Open: open})
}

const example = "sqlite:///absolute/path/of/file"

// resolve returns where u leads.
func resolve(u *store.URL) (store.Target, error) {
	path, err := pathOf(u)
	if err != nil {
		return nil, err
	}
	_, err = settings(u)
	return targetOf(path), err
}

func targetOf(path string) store.Target {
	return store.NewTarget("store", "sqlite", "file", path, "table", "leadership_kv")
}

// settings returns the options in u.
func settings(u *store.URL) ([]Option, error) {
	if !u.Has("poll") {
		return nil, nil
	}
	poll, err := u.Duration("poll", 0)
	if err != nil {
		return nil, err
	}
	return []Option{WithPollInterval(poll)}, nil
}

// open opens the file of a URL.
func open(ctx context.Context, u *store.URL) (store.Store, error) {
	path, err := pathOf(u)
	if err != nil {
		return nil, err
	}
	opts, err := settings(u)
	if err != nil {
		return nil, err
	}
	// SQLite's own errors do not name the cause.
	folder, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("the folder of the file: %w", err)
	}
	if !folder.IsDir() {
		return nil, fmt.Errorf("%s is not a folder", filepath.Dir(path))
	}
	if file, err := os.Stat(path); err == nil && !file.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	connect := func() (*sql.DB, error) {
		db, err := sql.Open("sqlite", dsn(path))
		if err != nil {
			return nil, err
		}
		db.SetMaxOpenConns(readers + 2) // and the writer, and lookOut
		db.SetMaxIdleConns(readers + 2)
		return db, nil
	}
	db, err := connect()
	if err != nil {
		return nil, err
	}
	s, err := New(db, opts...)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.target = targetOf(path)
	s.opened = &opened{
		path: path, open: connect, anew: func() { s.prepared.Store(false) },
		db: db, prepared: make(map[string]*sql.Stmt),
	}
	if err := s.check(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), s.Close())
	}
	return s, nil
}

// pathOf returns the path of the file that a URL names.
func pathOf(u *store.URL) (string, error) {
	whole := strings.Join(u.Hosts, "") + u.Path
	switch {
	case strings.Contains(whole, ":memory:"):
		return "", errors.New("each connection would have a database in memory of its own: want memory://name for a store of this process, or " + example)
	case u.HasUser:
		return "", errors.New("it has a user, which SQLite does not have: want " + example)
	case len(u.Hosts) > 0:
		return "", errors.New("want " + example + ": a relative path would be another file in each working directory")
	case u.Path == "":
		return "", errors.New("it names no file: want " + example)
	case strings.HasPrefix(u.Path, "file:"):
		return "", errors.New("it is a URI of SQLite's in a URL: want " + example)
	case slices.Contains(strings.Split(u.Path, "/"), ".."):
		return "", errors.New(`the path has the part "..", which leads elsewhere where a folder is a link: write it without`)
	}
	path := filepath.FromSlash(u.Path)
	if filepath.IsAbs(path) { // C:\file
		return path, nil
	}
	return filepath.Clean(string(filepath.Separator) + path), nil
}

// dsn returns how SQLite's driver names the file, and the settings of each
// connection.
func dsn(path string) string {
	settings := url.Values{
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_error_rc":     {"true"}, // else an error may have the words of another
	}
	path = filepath.ToSlash(path)
	if path[0] != '/' {
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: settings.Encode()}).String()
}

// check creates the file and the table, and checks that they can be written.
func (s *Store) check(ctx context.Context) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	_, err := call(ctx, s, s.writing, func(ctx context.Context, db database) (sql.Result, error) {
		return db.ExecContext(ctx, sqlNothing)
	})
	return err
}
