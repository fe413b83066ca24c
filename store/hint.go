package store

import "context"

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
