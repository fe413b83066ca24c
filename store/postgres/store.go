package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

var _ store.Store = (*Store)(nil)

// Store is a key/value store in one table of a PostgreSQL database. New makes
// one. All methods are safe for concurrent use.
//
// Every write gets an index from the sequence of the table's column of that name, which
// uses no number twice, so an index is never used again, except after a failover that
// loses writes: see the package comment.
//
// Keys are text: UTF-8 without NUL, at most about 2600 bytes. A nil value is
// stored as an empty one, and read as non-nil.
//
// Every method returns soon after its context has ended, whatever the server does; a
// write under way may still happen.
type Store struct {
	pool   *pgxpool.Pool
	base   base.Store
	limits base.Limits
	owned  bool // Close closes the pool
	table  table
	name   string                 // of the table, as it was given
	path   string                 // the search path of the pool's configuration
	schema atomic.Pointer[string] // of a table whose name has none, as in SQL; nil until it is found
	poll   time.Duration
	target store.Target
	hints  hints
	waits  atomic.Bool // a read has waited for a synchronous standby
}

// Option is an option of New.
type Option func(*Store) error

// WithTable names the table, DefaultTable by default, as "table" or
// "schema.table". The names are taken as they are: case counts. Each is at
// most 55 bytes long.
//
// A name without a schema is looked for at the first call, by the search_path in the
// pool's RuntimeParams, or else that of the role or database, and means the table that
// is found then ever after. It has to be the same for all nodes. Where a connection
// has another search_path (by AfterConnect, a SET in a session, what another client of a
// pooler has left there) that leads elsewhere, all calls fail until the schema is named.
func WithTable(name string) Option {
	return func(s *Store) (err error) {
		s.name = name
		s.table, err = newTable(name)
		return err
	}
}

// WithPollInterval sets how often a watch looks at its key where no
// notifications come through: DefaultPollInterval by default. Where they do, it
// looks once a second, or at this interval if that is longer.
func WithPollInterval(d time.Duration) Option {
	return func(s *Store) error {
		if d <= 0 {
			return fmt.Errorf("the poll interval is %v and must be positive", d)
		}
		s.poll = d
		return nil
	}
}

// DefaultPollInterval is how often a watch looks at its key where no
// notifications come through.
const DefaultPollInterval = 100 * time.Millisecond

// New returns a Store on a pool, which it does not close. It does not connect
// yet. It sends no prepared statements, so the pool may be one of a pooler
// whatever its query mode. The error names an option that is wrong.
//
// While watches are open the Store has one more connection, for LISTEN: it
// takes it from the pool, which may then open another in its place.
func New(pool *pgxpool.Pool, opts ...Option) (*Store, error) {
	if pool == nil {
		return nil, errors.New("postgres: the pool is nil")
	}
	// Readers leave a connection of the pool, if it has more than one, for writes.
	conns := int(pool.Config().MaxConns)
	s := &Store{
		base: base.Store{Name: "postgres", CheckText: checkText, Explain: explain},
		pool: pool, limits: base.NewLimits(max(1, conns-max(1, conns/4)), conns), poll: DefaultPollInterval,
	}
	for _, opt := range append([]Option{WithTable(DefaultTable)}, opts...) {
		if err := opt(s); err != nil {
			return nil, fmt.Errorf("postgres: %w", err)
		}
	}
	if !strings.Contains(s.name, ".") {
		var err error
		if s.path, err = searchPath(pool.Config()); err != nil {
			return nil, fmt.Errorf("postgres: %w", err)
		}
	}
	return s, nil
}

// Target returns where a store by URL keeps its keys, and nil for one of New.
func (s *Store) Target() store.Target { return s.target }

// Get returns the pair under key, or store.ErrKeyNotFound. It always finds the last
// write, and returns an error if the server is a standby, which may not have it yet. With
// nil opts, or opts.Consistent, it waits until the synchronous standby, if there is one,
// has what was read: no failover to it undoes that.
func (s *Store) Get(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
	return s.base.Get(ctx, key, func() (*store.KVPair, error) {
		pair, _, err := s.read(ctx, key, stays(opts))
		return pair, err
	})
}

// stays reports whether a read with opts must return only what a failover keeps.
func stays(opts *store.ReadOptions) bool { return opts == nil || opts.Consistent }

// AtomicPut writes value under key if the key is unchanged since previous, or, when
// previous is nil, if it is missing: its index and its value are compared. It returns
// true and the pair as written. Otherwise it writes nothing and returns
// store.ErrKeyExists if previous is nil, store.ErrKeyModified if the key was changed, or
// store.ErrKeyNotFound if it was deleted. After any other error the write may have
// happened. It is one statement, and one round trip.
//
// With a TTL in opts the key expires that long after the write, to the microsecond by the
// server's clock, unless it is written again before. 0 means no TTL; a negative TTL is an
// error. Other options are ignored, and opts may be nil.
func (s *Store) AtomicPut(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
	return s.base.AtomicPut(ctx, key, value, opts, func(value []byte, ttl time.Duration) (uint64, error) {
		statement, args := s.table.create, []any{key, note(key), value, microseconds(ttl)}
		if previous != nil {
			statement, args = s.table.update, append(args, index(previous), base.Copy(previous.Value))
		}
		if ttl > 0 {
			statement = s.table.sweeping(statement)
		}
		written, seen, err := s.write(ctx, statement, args)
		if err != nil || written != 0 {
			return written, err
		}
		return 0, s.refusal(ctx, key, previous, seen)
	})
}

// AtomicDelete deletes key if it is unchanged since previous, and returns true.
// Otherwise it deletes nothing and returns store.ErrKeyModified,
// store.ErrKeyNotFound, or store.ErrPreviousNotSpecified when previous is nil.
// After any other error the key may have been deleted.
func (s *Store) AtomicDelete(ctx context.Context, key string, previous *store.KVPair) (bool, error) {
	return s.base.AtomicDelete(ctx, key, previous, func() error {
		deleted, seen, err := s.write(ctx, s.table.delete, []any{key, note(key), index(previous), base.Copy(previous.Value)})
		if err != nil || deleted != 0 {
			return err
		}
		return s.refusal(ctx, key, previous, seen)
	})
}

// refusal returns why a write was refused. seen is the index that the write has seen, 0
// for a missing key.
func (s *Store) refusal(ctx context.Context, key string, previous *store.KVPair, seen uint64) error {
	if previous == nil {
		return store.ErrKeyExists
	}
	if seen == previous.LastIndex {
		// The value differs, or the key was changed after the statement had begun: the
		// statement has waited for that change, and saw the state before it.
		if pair, _, err := s.read(ctx, key, false); err == nil && pair == nil {
			seen = 0
		}
	}
	if seen == 0 {
		return store.ErrKeyNotFound
	}
	return store.ErrKeyModified
}

// List returns the pairs whose keys begin with directory, sorted by key, as of one
// instant. directory is a plain prefix ("job" covers "jobs/1" too; end it with a slash to
// prevent that), and a key that equals it is left out. It returns store.ErrKeyNotFound if
// there are no such keys. opts, and a standby, are as for Get.
func (s *Store) List(ctx context.Context, directory string, opts *store.ReadOptions) ([]*store.KVPair, error) {
	return s.base.List(ctx, directory, func() ([]*store.KVPair, error) {
		all, err := s.find(ctx, s.table.list, directory, stays(opts))
		var pairs []*store.KVPair
		for _, f := range all {
			pairs = append(pairs, f.pair)
		}
		return pairs, err
	})
}

// Close ends all watches and waits until they have ended. Calls made later return
// store.ErrClosed. It does not close a pool that was given to New. Close may be called
// again, and always returns nil.
func (s *Store) Close() error {
	if s.base.Close() && s.owned {
		closePool(s.pool)
	}
	return nil
}

// checkText returns an error if a text of PostgreSQL cannot hold this one.
func checkText(what, text string) error {
	switch {
	case !utf8.ValidString(text):
		return fmt.Errorf("the %s is not UTF-8", what)
	case strings.ContainsRune(text, 0):
		return fmt.Errorf("the %s has a NUL in it, which PostgreSQL cannot store", what)
	}
	return nil
}

// index returns a pair's index as a value of the column. One that is too large was never
// used.
func index(pair *store.KVPair) int64 {
	return int64(min(pair.LastIndex, math.MaxInt64))
}

// microseconds returns a TTL, rounded up, or nil for none.
func microseconds(ttl time.Duration) any {
	if ttl == 0 {
		return nil
	}
	return int64((ttl-1)/time.Microsecond) + 1
}
