package storetest

import (
	"context"
	"sync/atomic"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// broken is an adapter that does one thing wrong. What it has no function for
// it does right.
type broken struct {
	store.Store // the client that is sound

	get    func(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error)
	many   func(ctx context.Context, keys []string) ([]*store.KVPair, error)
	put    func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error)
	delete func(ctx context.Context, key string, previous *store.KVPair) (bool, error)
	watch  func(ctx context.Context, key string, opts *store.ReadOptions) (<-chan *store.KVPair, error)
	below  func(ctx context.Context, directory string) (<-chan *store.KVPair, error)
	list   func(ctx context.Context, directory string, opts *store.ReadOptions) ([]*store.KVPair, error)
	close  func() error
}

func (b *broken) Get(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
	if b.get != nil {
		return b.get(ctx, key, opts)
	}
	return b.Store.Get(ctx, key, opts)
}

// GetMany makes a Get of each key unless it is broken.
func (b *broken) GetMany(ctx context.Context, keys []string) ([]*store.KVPair, error) {
	if b.many != nil {
		return b.many(ctx, keys)
	}
	return store.GetMany(ctx, struct{ store.Store }{b}, keys)
}

func (b *broken) AtomicPut(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
	if b.put != nil {
		return b.put(ctx, key, value, previous, opts)
	}
	return b.Store.AtomicPut(ctx, key, value, previous, opts)
}

func (b *broken) AtomicDelete(ctx context.Context, key string, previous *store.KVPair) (bool, error) {
	if b.delete != nil {
		return b.delete(ctx, key, previous)
	}
	return b.Store.AtomicDelete(ctx, key, previous)
}

func (b *broken) Watch(ctx context.Context, key string, opts *store.ReadOptions) (<-chan *store.KVPair, error) {
	if b.watch != nil {
		return b.watch(ctx, key, opts)
	}
	return b.Store.Watch(ctx, key, opts)
}

func (b *broken) HintsBelow(ctx context.Context, directory string) (<-chan *store.KVPair, error) {
	if b.below != nil {
		return b.below(ctx, directory)
	}
	return store.HintsBelow(ctx, b.Store, directory)
}

func (b *broken) List(ctx context.Context, directory string, opts *store.ReadOptions) ([]*store.KVPair, error) {
	if b.list != nil {
		return b.list(ctx, directory, opts)
	}
	return b.Store.List(ctx, directory, opts)
}

func (b *broken) Close() error {
	if b.close != nil {
		return b.close()
	}
	return b.Store.Close()
}

// breakage breaks one client of shared, all of which are broken alike.
type breakage func(b *broken, shared *memory.Store)

// sound breaks nothing.
func sound(*broken, *memory.Store) {}

// every returns a function that returns true once in n calls, of all callers.
func every(n int64) func() bool {
	var calls atomic.Int64
	return func() bool { return calls.Add(1)%n == 0 }
}
