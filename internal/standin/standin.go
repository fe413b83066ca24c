// Package standin has a store for tests, of which they replace what they want to.
package standin

import (
	"context"

	"github.com/seed-a1d591d3/leadership/store"
)

// Store is a store whose methods call the functions that are not nil in their place.
type Store struct {
	store.Store
	OnGet   func(ctx context.Context, key string) (*store.KVPair, error)
	OnPut   func(ctx context.Context, key string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error)
	OnWatch func(ctx context.Context) <-chan *store.KVPair
}

// Get calls OnGet.
func (s *Store) Get(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
	if s.OnGet != nil {
		return s.OnGet(ctx, key)
	}
	return s.Store.Get(ctx, key, opts)
}

// AtomicPut calls OnPut.
func (s *Store) AtomicPut(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
	if s.OnPut != nil {
		return s.OnPut(ctx, key, value, previous)
	}
	return s.Store.AtomicPut(ctx, key, value, previous, opts)
}

// Watch calls OnWatch.
func (s *Store) Watch(ctx context.Context, key string, opts *store.ReadOptions) (<-chan *store.KVPair, error) {
	if s.OnWatch != nil {
		return s.OnWatch(ctx), nil
	}
	return s.Store.Watch(ctx, key, opts)
}
