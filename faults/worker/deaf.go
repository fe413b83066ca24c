package worker

import (
	"context"

	"github.com/seed-a1d591d3/leadership/store"
)

// deaf is a store that goes on with a call although its context has ended.
type deaf struct{ store.Store }

func (d deaf) Get(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
	return d.Store.Get(context.WithoutCancel(ctx), key, opts)
}

func (d deaf) AtomicPut(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
	return d.Store.AtomicPut(context.WithoutCancel(ctx), key, value, previous, opts)
}
