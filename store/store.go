// Package store defines what an election needs of a key/value store: the six methods of
// [Store], which every valkeyrie store has. The types, options and errors are aliases of
// valkeyrie's, so no conversion is needed between the two.
//
// It imports only the standard library and valkeyrie's store package. Each store is a
// package in a folder beneath it.
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

	// ReadOptions are options of Get, Watch and List.
	ReadOptions = store.ReadOptions

	// WriteOptions are options of AtomicPut.
	WriteOptions = store.WriteOptions
)

// Errors that the methods of a Store return or wrap.
var (
	// ErrKeyNotFound means that there is no value under the key.
	ErrKeyNotFound = store.ErrKeyNotFound

	// ErrKeyModified means that the key has been changed or deleted since the previous
	// pair was read: nothing was written.
	ErrKeyModified = store.ErrKeyModified

	// ErrKeyExists means that the key was to be created and already exists: nothing was
	// written.
	ErrKeyExists = store.ErrKeyExists

	// ErrPreviousNotSpecified means that AtomicDelete was given no previous pair.
	ErrPreviousNotSpecified = store.ErrPreviousNotSpecified

	// ErrNotReachable means that the store could not be reached.
	ErrNotReachable = store.ErrNotReachable

	// ErrCallNotSupported means that the store does not support the call.
	ErrCallNotSupported = store.ErrCallNotSupported

	// ErrTTLNotSupported means that the store cannot delete a key after such a TTL:
	// nothing was written.
	ErrTTLNotSupported = errors.New("the store does not support this TTL")

	// ErrClosed means that the store has been closed.
	ErrClosed = errors.New("the store is closed")
)

// Store is what an election needs of a key/value store. Every valkeyrie store has these
// methods, and so do the stores in the folders beneath this package. All methods are safe
// for concurrent use.
//
// An election is safe on a store whose AtomicPut compares and swaps, as of one instant,
// and whose Get does not go back in time. It makes progress on a store that answers. It
// needs no expiry, no session and no lock, and a Watch that carries nothing only makes it
// slower.
type Store interface {
	// Get returns the pair under key, or ErrKeyNotFound. With
	// opts.Consistent, or nil opts, it finds every write that was
	// acknowledged before it began.
	Get(ctx context.Context, key string, opts *ReadOptions) (*KVPair, error)

	// AtomicPut writes value under key if the key is unchanged since previous was read or
	// written, or, if previous is nil, if the key is missing. If the store can, it
	// compares the value of previous as well as its index: after an older state was
	// restored, another write may have the same index. It returns the pair as written.
	// Otherwise it writes nothing and returns ErrKeyModified (some stores return
	// ErrKeyNotFound for a key that was deleted), or ErrKeyExists if previous is nil.
	// After any other error the write may have happened.
	AtomicPut(ctx context.Context, key string, value []byte, previous *KVPair, opts *WriteOptions) (bool, *KVPair, error)

	// AtomicDelete deletes key if it is unchanged since previous. Otherwise it returns
	// ErrKeyModified or ErrKeyNotFound, and ErrPreviousNotSpecified if previous is nil.
	AtomicDelete(ctx context.Context, key string, previous *KVPair) (bool, error)

	// Watch returns a channel that carries the changes of key, and is closed when ctx has
	// ended or the watch is lost. What it carries, and whether a missing key can be
	// watched, depends on the store: to an election it is only a hint to read again.
	Watch(ctx context.Context, key string, opts *ReadOptions) (<-chan *KVPair, error)

	// List returns the pairs whose keys begin with directory, in no particular order, or
	// ErrKeyNotFound if there are none.
	List(ctx context.Context, directory string, opts *ReadOptions) ([]*KVPair, error)

	// Close closes the store's connections. End the elections on it first.
	Close() error
}

// DefaultMaxWatches is how many watches of a Store elections keep open at once, at most,
// if it has no method MaxWatches: each watch may hold a connection, and some servers
// limit those of one address.
const DefaultMaxWatches = 32

// MaxWatches returns how many watches of kv elections keep open at once, at most.
func MaxWatches(kv Store) int {
	if bounded, ok := kv.(interface{ MaxWatches() int }); ok {
		return bounded.MaxWatches()
	}
	return DefaultMaxWatches
}

// ReturnsInTime reports whether the calls of kv return as soon as their context ends, even
// where its servers hang, because it, or the store that it is a view of, has a method
// ReturnsInTime that says so. For claims, rounds and requests each call of any other store
// is made in a goroutine of its own.
func ReturnsInTime(kv Store) bool {
	for {
		if own, ok := kv.(interface{ ReturnsInTime() bool }); ok {
			return own.ReturnsInTime()
		}
		view, ok := kv.(interface {
			Beneath(key string) (Store, string)
		})
		if !ok {
			return false
		}
		kv, _ = view.Beneath("")
	}
}
