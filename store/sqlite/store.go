package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

var _ store.Store = (*Store)(nil)

// Store is a key/value store in a SQLite file. All methods are safe for concurrent use,
// and return within 100 ms of the end of their contexts, even if the file is locked or
// the disk hangs. Errors other than those in a method's comment come from SQLite; a write
// may have happened then.
type Store struct {
	base   base.Store
	db     *sql.DB
	opened *opened       // nil for a database of the user
	poll   time.Duration // 0: the default
	target store.Target
	change watches

	prepared atomic.Bool // the table was created, and path is set
	path     string      // of the file, from SQLite
	file     os.FileInfo // of a database of the user, at first

	swept            atomic.Int64 // when expired pairs were deleted last, in ms
	reading, writing chan struct{}
}

// Option is an option of New.
type Option func(*Store) error

// DefaultPollInterval is how often a Store with watches looks for writes of others, if
// the kernel does not notify it.
const DefaultPollInterval = 20 * time.Millisecond

// toldPollInterval is how often it does so if the kernel notifies it.
const toldPollInterval = 100 * time.Millisecond

// WithPollInterval sets how often a Store with watches looks for writes of others of
// which it was not notified: at least a millisecond. The default is 100 ms on Linux,
// where the kernel notifies of nearly all writes, and DefaultPollInterval elsewhere.
func WithPollInterval(d time.Duration) Option {
	return func(s *Store) error {
		if d < time.Millisecond {
			return fmt.Errorf("the poll interval is %v and must be at least 1ms", d)
		}
		s.poll = d
		return nil
	}
}

// New returns a store in db, a database of modernc.org/sqlite's driver. The first call
// creates the table. The store never closes db and does not change its settings. It uses
// a connection of db for each call, and for each read for its watches; one connection is
// enough.
func New(db *sql.DB, opts ...Option) (*Store, error) {
	if db == nil {
		return nil, errors.New("sqlite: the database is nil")
	}
	s := &Store{
		base:    base.Store{Name: "sqlite", ShortestTTL: time.Millisecond},
		db:      db,
		reading: make(chan struct{}, readers),
		writing: make(chan struct{}, 1), // SQLite has one writer at a time
	}
	for _, opt := range opts {
		if err := opt(s); err != nil {
			return nil, fmt.Errorf("sqlite: %w", err)
		}
	}
	return s, nil
}

// Target returns where a store by URL keeps its keys, and nil for one of New.
func (s *Store) Target() store.Target { return s.target }

// Get returns the pair under key, or store.ErrKeyNotFound. It finds the last
// write that was acknowledged, in any process: opts are ignored, and may be nil.
func (s *Store) Get(ctx context.Context, key string, _ *store.ReadOptions) (*store.KVPair, error) {
	return s.base.Get(ctx, key, func() (*store.KVPair, error) {
		e, err := s.read(ctx, key)
		if err != nil || e == nil {
			return nil, err
		}
		return e.pair, nil
	})
}

// AtomicPut writes value under key if the key is unchanged since previous, or, when
// previous is nil, if it is missing: its index and its value are compared. It returns
// true and the pair as written. Otherwise it writes nothing and returns
// store.ErrKeyExists if previous is nil, store.ErrKeyModified if the key was changed, or
// store.ErrKeyNotFound if it was deleted.
//
// With a TTL in opts the key expires that long after the write, unless it is written
// again before. 0 means no TTL; a TTL below a millisecond is store.ErrTTLNotSupported,
// and a negative TTL is an error. Other options are ignored, and opts may be nil.
func (s *Store) AtomicPut(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
	return s.base.AtomicPut(ctx, key, value, opts, func(value []byte, ttl time.Duration) (uint64, error) {
		return s.write(ctx, key, value, previous, ttl)
	})
}

// AtomicDelete deletes key if it is unchanged since previous, and returns true.
// Otherwise it deletes nothing and returns store.ErrKeyModified,
// store.ErrKeyNotFound, or store.ErrPreviousNotSpecified when previous is nil.
func (s *Store) AtomicDelete(ctx context.Context, key string, previous *store.KVPair) (bool, error) {
	return s.base.AtomicDelete(ctx, key, previous, func() error { return s.delete(ctx, key, previous) })
}

// List returns the pairs whose keys begin with directory, sorted by key, as of one
// instant. directory is a plain prefix ("job" covers "jobs/1" too; end it with a slash to
// prevent that), and a key that equals it is left out. It returns store.ErrKeyNotFound if
// there are no such keys. opts are ignored, and may be nil.
func (s *Store) List(ctx context.Context, directory string, _ *store.ReadOptions) ([]*store.KVPair, error) {
	return s.base.List(ctx, directory, func() ([]*store.KVPair, error) { return s.list(ctx, directory) })
}

// Close ends all watches and calls, waits for pending operations of the disk, and closes
// a database that store.Open has opened. Calls made later return store.ErrClosed. Close
// may be called again.
func (s *Store) Close() error {
	if first := s.base.Close(); first && s.opened != nil {
		if err := s.opened.close(); err != nil {
			return fmt.Errorf("sqlite: close: %w", err)
		}
	}
	return nil
}
