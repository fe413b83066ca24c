// Package memory is a key/value store in the memory of one process: for programs whose
// candidates all live in that process, for tests and for examples. It is as fast as a map
// under a lock, loses everything when the process ends, and behaves like the strictest of
// the real stores.
//
//	kv := memory.New()
//	defer kv.Close()
//	candidate := leadership.NewCandidate(kv, "service/swarm/leader", "underwood", 15*time.Second)
//
// By URL, memory://name is one store for all callers in the process that open that name,
// and is deleted when the last of them has closed it. memory:// is a new store each time.
//
// Keys are used unchanged: a leading or trailing slash is part of the key. An empty key
// is an error.
//
// A Store reads the time only by package time, and holds no lock while it waits. So one
// that is made inside a testing/synctest bubble runs in the bubble's virtual time, to the
// nanosecond.
package memory

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

var _ store.Store = (*Store)(nil)

// Store is a key/value store in memory. The zero value is an empty store,
// ready for use; it must not be copied. All methods are safe for concurrent
// use, and none of them blocks.
//
// Every write gets a new index from one counter for the whole store. An index is never
// used again, neither for another key nor when a key is deleted and created again.
//
// Values are copied on their way in and out, so callers may change what they
// passed or got. A nil value is stored as an empty one, and read as non-nil.
//
// If its context has already ended, a method does nothing, and returns the context's
// error, wrapped.
type Store struct {
	mu      sync.Mutex
	closed  bool
	index   uint64 // of the last write
	entries map[string]entry
	watches map[string][]*watch
	trees   map[*base.Changes]context.CancelFunc // the watches of HintsBelow, and what ends each
}

// entry is what is stored under a key. The value is never changed in place, so it may be
// read after the lock is released.
type entry struct {
	value  []byte
	index  uint64
	expiry *expiry // nil: no TTL
}

type expiry struct {
	at    time.Time
	timer *time.Timer
}

// New returns an empty store. Close it to end its watches and timers.
func New() *Store { return new(Store) }

// Get returns the pair under key, or store.ErrKeyNotFound. It always finds the
// last write: opts are ignored, and may be nil.
func (s *Store) Get(ctx context.Context, key string, _ *store.ReadOptions) (*store.KVPair, error) {
	e, found, err := s.read(ctx, key)
	if err == nil && !found {
		err = store.ErrKeyNotFound
	}
	if err != nil {
		return nil, failed("get", key, err)
	}
	return e.pair(key), nil
}

// AtomicPut writes value under key if the key is unchanged since previous, or, when
// previous is nil, if it is missing: its index and its value are compared. It returns
// true and the pair as written. Otherwise it writes nothing and returns
// store.ErrKeyExists if previous is nil, store.ErrKeyModified if the key was changed, or
// store.ErrKeyNotFound if it was deleted (as valkeyrie's Redis and ZooKeeper stores do).
// After an error of any kind nothing was written.
//
// With a TTL in opts the key is deleted exactly that long after the write, unless it is
// written again before. 0 means no TTL; a negative TTL is an error. Other options are
// ignored, and opts may be nil.
func (s *Store) AtomicPut(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
	pair, err := s.write(ctx, key, value, opts, func(e entry, found bool) error {
		switch {
		case previous != nil:
			return unchanged(e, found, previous)
		case found:
			return store.ErrKeyExists
		default:
			return nil
		}
	})
	if err != nil {
		return false, nil, failed("atomic put", key, err)
	}
	return true, pair, nil
}

// Put writes value under key, whatever is there, as an operator would by hand. opts are
// as in AtomicPut.
func (s *Store) Put(ctx context.Context, key string, value []byte, opts *store.WriteOptions) error {
	_, err := s.write(ctx, key, value, opts, func(entry, bool) error { return nil })
	if err != nil {
		return failed("put", key, err)
	}
	return nil
}

// AtomicDelete deletes key if it is unchanged since previous, and returns true.
// Otherwise it deletes nothing and returns store.ErrKeyModified,
// store.ErrKeyNotFound, or store.ErrPreviousNotSpecified when previous is nil.
func (s *Store) AtomicDelete(ctx context.Context, key string, previous *store.KVPair) (bool, error) {
	if previous == nil {
		return false, failed("atomic delete", key, store.ErrPreviousNotSpecified)
	}
	err := s.delete(ctx, key, func(e entry, found bool) error { return unchanged(e, found, previous) })
	if err != nil {
		return false, failed("atomic delete", key, err)
	}
	return true, nil
}

// Delete deletes key, whatever its value, as an operator would by hand. It returns
// store.ErrKeyNotFound if there is none.
func (s *Store) Delete(ctx context.Context, key string) error {
	err := s.delete(ctx, key, func(_ entry, found bool) error {
		if !found {
			return store.ErrKeyNotFound
		}
		return nil
	})
	if err != nil {
		return failed("delete", key, err)
	}
	return nil
}

// List returns the pairs whose keys begin with directory, sorted by key, as of one
// instant. As in valkeyrie's stores, directory is a plain prefix ("job" covers "jobs/1"
// too; end it with a slash to prevent that), and a key that equals it is left out. It
// returns store.ErrKeyNotFound if there are no such keys. opts are ignored, and may be
// nil.
func (s *Store) List(ctx context.Context, directory string, _ *store.ReadOptions) ([]*store.KVPair, error) {
	entries, err := s.beneath(ctx, directory)
	if err == nil && len(entries) == 0 {
		err = store.ErrKeyNotFound
	}
	if err != nil {
		return nil, failed("list", directory, err)
	}
	pairs := make([]*store.KVPair, 0, len(entries))
	for key, e := range entries {
		pairs = append(pairs, e.pair(key))
	}
	slices.SortFunc(pairs, func(a, b *store.KVPair) int { return strings.Compare(a.Key, b.Key) })
	return pairs, nil
}

// Close deletes all keys, stops all timers, and ends all watches, whose channels are
// closed. Calls made later return store.ErrClosed. Close may be called again, and always
// returns nil.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, e := range s.entries {
		e.stop()
	}
	for _, watches := range s.watches {
		for _, w := range watches {
			w.end()
		}
	}
	for _, end := range s.trees {
		end()
	}
	s.entries, s.watches = nil, nil
	return nil
}

func (s *Store) read(ctx context.Context, key string) (entry, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usableFor(ctx, key); err != nil {
		return entry{}, false, err
	}
	e, found := s.lookup(key)
	return e, found, nil
}

// pageKeys is how many keys are in a page.
const pageKeys = 1000

// Page implements store.Pager. The keys are sorted.
func (s *Store) Page(ctx context.Context, directory, from string, wanted func(key string) bool) (pairs []*store.KVPair, next string, err error) {
	entries, err := s.beneath(ctx, directory)
	if err != nil {
		return nil, "", failed("list", directory, err)
	}
	keys := slices.DeleteFunc(slices.Sorted(maps.Keys(entries)), func(key string) bool { return key <= from })
	if len(keys) > pageKeys {
		keys = keys[:pageKeys]
		next = keys[pageKeys-1]
	}
	for _, key := range keys {
		pair := &store.KVPair{Key: key}
		if wanted(key) {
			pair = entries[key].pair(key)
		}
		pairs = append(pairs, pair)
	}
	return pairs, next, nil
}

func (s *Store) beneath(ctx context.Context, directory string) (map[string]entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	entries := make(map[string]entry)
	for key := range s.entries {
		if key == directory || !strings.HasPrefix(key, directory) {
			continue
		}
		if e, found := s.lookup(key); found {
			entries[key] = e
		}
	}
	return entries, nil
}

// write stores value under key if allow, which gets the present entry, returns nil.
func (s *Store) write(ctx context.Context, key string, value []byte, opts *store.WriteOptions, allow func(entry, bool) error) (*store.KVPair, error) {
	ttl, err := base.TTL(opts, 0)
	if err != nil {
		return nil, err
	}
	value = base.Copy(value)

	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usableFor(ctx, key); err != nil {
		return nil, err
	}
	old, found := s.lookup(key)
	if err := allow(old, found); err != nil {
		return nil, err
	}
	old.stop()
	s.index++
	e := entry{value: value, index: s.index}
	if ttl > 0 {
		e.expiry = &expiry{
			at:    time.Now().Add(ttl),
			timer: time.AfterFunc(ttl, func() { s.expire(key) }),
		}
	}
	if s.entries == nil {
		s.entries = make(map[string]entry)
	}
	s.entries[key] = e
	s.tell(key)
	return e.pair(key), nil
}

// delete deletes key if allow, which gets the present entry, returns nil.
func (s *Store) delete(ctx context.Context, key string, allow func(entry, bool) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usableFor(ctx, key); err != nil {
		return err
	}
	e, found := s.lookup(key)
	if err := allow(e, found); err != nil {
		return err
	}
	s.remove(key, e)
	return nil
}

// expire is called by an entry's timer. If the key was written again before, lookup finds
// the new entry and keeps it.
func (s *Store) expire(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lookup(key)
}

// lookup returns the entry under key. A timer may fire late, so lookup removes an entry
// that has expired. The lock is held.
func (s *Store) lookup(key string) (entry, bool) {
	e, found := s.entries[key]
	if found && e.expiry != nil && !time.Now().Before(e.expiry.at) {
		s.remove(key, e)
		return entry{}, false
	}
	return e, found
}

// remove deletes an entry and notifies the watches. The lock is held.
func (s *Store) remove(key string, e entry) {
	e.stop()
	delete(s.entries, key)
	s.tell(key)
}

// usable returns an error if the store is closed or ctx has ended. The lock is held, so a
// context that ends before the call has the lock prevents its write.
func (s *Store) usable(ctx context.Context) error {
	if s.closed {
		return store.ErrClosed
	}
	return ctx.Err()
}

// usableFor is usable for a call about one key.
func (s *Store) usableFor(ctx context.Context, key string) error {
	if key == "" {
		return base.ErrEmptyKey
	}
	return s.usable(ctx)
}

func (e entry) pair(key string) *store.KVPair {
	return &store.KVPair{Key: key, Value: base.Copy(e.value), LastIndex: e.index}
}

func (e entry) stop() {
	if e.expiry != nil {
		e.expiry.timer.Stop()
	}
}

func unchanged(e entry, found bool, previous *store.KVPair) error {
	switch {
	case !found:
		return store.ErrKeyNotFound
	case e.index != previous.LastIndex || !bytes.Equal(e.value, previous.Value):
		return store.ErrKeyModified
	default:
		return nil
	}
}

func failed(op, key string, err error) error {
	return base.Error("memory", op, key, err)
}
