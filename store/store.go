// Package store says what an election needs of a key/value store: the six
// methods of [Store], which every valkeyrie store has. The types, options and
// errors are aliases of valkeyrie's, so that the two worlds mix without
// conversion.
//
// It imports nothing but the standard library and valkeyrie's own store
// package. Each store lives in a folder of its own beneath it.
package store

import (
	"context"
	"errors"

	"github.com/kvtools/valkeyrie/store"
)

type (
	// KVPair is a key, its value, and the index of the write that the value
	// came from. Two writes of one key have different indexes.
	KVPair = store.KVPair

	// ReadOptions are the options of Get, Watch and List.
	ReadOptions = store.ReadOptions

	// WriteOptions are the options of AtomicPut.
	WriteOptions = store.WriteOptions
)

// The errors that a Store returns, or wraps, for what its callers decide on.
var (
	// ErrKeyNotFound says that there is no value under the key.
	ErrKeyNotFound = store.ErrKeyNotFound

	// ErrKeyModified says that the key has been changed, or deleted, since the
	// previous pair was read: the write did not happen.
	ErrKeyModified = store.ErrKeyModified

	// ErrKeyExists says that the key was to be created and exists already: the
	// write did not happen.
	ErrKeyExists = store.ErrKeyExists

	// ErrPreviousNotSpecified says that AtomicDelete was given no previous pair.
	ErrPreviousNotSpecified = store.ErrPreviousNotSpecified

	// ErrNotReachable says that the store could not be reached.
	ErrNotReachable = store.ErrNotReachable

	// ErrCallNotSupported says that the store has no such call.
	ErrCallNotSupported = store.ErrCallNotSupported

	// ErrTTLNotSupported says that the store cannot delete a key by itself so
	// long after it was written: nothing was written.
	ErrTTLNotSupported = errors.New("the store does not support this TTL")

	// ErrClosed says that the store has been closed.
	ErrClosed = errors.New("the store is closed")
)

// Store is what an election needs of a key/value store. Every valkeyrie store
// has these methods; so have all stores in the folders below. All methods are
// safe for concurrent use.
//
// An election is safe on a store whose AtomicPut compares and swaps, as of one
// instant, and whose Get does not go back in time. It is live on a store that
// answers. It needs nothing else: no expiry, no session, no lock, and a Watch
// that never fires only makes it slower.
type Store interface {
	// Get returns the pair under key, or ErrKeyNotFound. With
	// opts.Consistent, or nil opts, it finds every write that was
	// acknowledged before it began.
	Get(ctx context.Context, key string, opts *ReadOptions) (*KVPair, error)

	// AtomicPut writes value under key if the key still is as previous says:
	// unchanged since that pair was read or written, or, for nil, missing. Where
	// the store can, it compares the value of previous as well as its index: an
	// index may be another write's after an older state was restored. It
	// returns the pair as written. Where the key is otherwise it writes
	// nothing and returns ErrKeyModified (ErrKeyNotFound from some stores for
	// a key that is gone), or ErrKeyExists when previous is nil. After any
	// other error the write may have happened.
	AtomicPut(ctx context.Context, key string, value []byte, previous *KVPair, opts *WriteOptions) (bool, *KVPair, error)

	// AtomicDelete deletes key if it is unchanged since previous. It returns
	// ErrKeyModified or ErrKeyNotFound where it is not, and
	// ErrPreviousNotSpecified for nil.
	AtomicDelete(ctx context.Context, key string, previous *KVPair) (bool, error)

	// Watch returns a channel of the changes of key until ctx ends or the
	// watch is lost; then it is closed. What it carries, and whether it stands
	// a missing key, differs from store to store: an election takes it as a
	// hint to look again.
	Watch(ctx context.Context, key string, opts *ReadOptions) (<-chan *KVPair, error)

	// List returns the pairs whose keys begin with directory, in no particular
	// order, or ErrKeyNotFound when there are none.
	List(ctx context.Context, directory string, opts *ReadOptions) ([]*KVPair, error)

	// Close ends the store's connections. The elections on it should have
	// ended before.
	Close() error
}

// DefaultMaxWatches is how many watches of a Store are open at once, at most,
// where it has no method MaxWatches: each may hold a connection, and a server
// lets one address have so many.
const DefaultMaxWatches = 32

// MaxWatches returns how many watches of kv elections keep open at once, at
// most.
func MaxWatches(kv Store) int {
	if bounded, ok := kv.(interface{ MaxWatches() int }); ok {
		return bounded.MaxWatches()
	}
	return DefaultMaxWatches
}
