package store

import (
	"context"
	"fmt"
)

// Hinter is a Store with watches for one who reads the key anyway if nothing was heard of
// it for some time. It is optional: Hints works with every Store.
type Hinter interface {
	// Hints is Watch, but a change that the server does not report to its clients may
	// show late, or never. So while nothing changes such a watch costs nearly nothing.
	Hints(ctx context.Context, key string) (<-chan *KVPair, error)
}

// Hints returns a watch of kv for one who reads the key anyway: that of a Hinter, or
// otherwise what Watch returns.
func Hints(ctx context.Context, kv Store, key string) (<-chan *KVPair, error) {
	if h, ok := kv.(Hinter); ok {
		return h.Hints(ctx, key)
	}
	return kv.Watch(ctx, key, &ReadOptions{Consistent: true})
}

// TreeHinter is a Store that watches all keys below a directory at once, for one who wants
// hints about many of them. It is optional: HintsBelow returns ErrCallNotSupported for any
// other Store.
type TreeHinter interface {
	// HintsBelow returns a channel that tells which of the keys that begin with directory,
	// and are longer, may have changed:
	//
	//   - An empty Key means that any of them may have: read all those that matter. It
	//     comes first, when the watch stands, and whenever changes may have been missed,
	//     as after the connection was lost.
	//   - A pair without a Value means that its key has to be read. It may be missing.
	//   - Any other pair is the state after a write. The LastIndex of such a store rises
	//     with each write, and the states of one key come in the order of the writes.
	//
	// A key may be told that has not changed. A change that the server does not report, such as
	// the end of a TTL, may not be told. One who falls behind is told each key that has
	// changed meanwhile once, with its last state, or an empty Key; nothing that others
	// wait for waits for him. The pairs are the reader's.
	//
	// HintsBelow returns when the watch stands, or when ctx ends. The error matches
	// ErrCallNotSupported if the server, or the rights of its user, do not allow such a watch.
	// The channel is closed soon after ctx has ended, the store was closed, or the watch was
	// lost for good, whether anybody reads or not.
	HintsBelow(ctx context.Context, directory string) (<-chan *KVPair, error)
}

// HintsBelow returns what HintsBelow of kv returns, or an error that matches
// ErrCallNotSupported if kv is no TreeHinter.
func HintsBelow(ctx context.Context, kv Store, directory string) (<-chan *KVPair, error) {
	if h, ok := kv.(TreeHinter); ok {
		return h.HintsBelow(ctx, directory)
	}
	return nil, fmt.Errorf("store: hints below %q: %w", directory, ErrCallNotSupported)
}
