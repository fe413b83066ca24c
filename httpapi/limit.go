package httpapi

import (
	"context"
	"fmt"

	"github.com/seed-a1d591d3/leadership/store"
)

// maxCalls is how many calls of the store are under way at once, at most.
const maxCalls = 256

// limited bounds how many calls of a store are under way: a store that hangs, and
// ignores its contexts, does not have calls of more and more requests pile up
// on it.
type limited struct {
	store.Store
	slots chan struct{}
}

func limit(kv store.Store, n int) limited { return limited{kv, make(chan struct{}, n)} }

// take waits for a slot, until ctx ends.
func (l limited) take(ctx context.Context) error {
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("httpapi: %d calls of the store are under way: %w", cap(l.slots), context.Cause(ctx))
	}
}

func (l limited) give() { <-l.slots }

func (l limited) Get(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
	if err := l.take(ctx); err != nil {
		return nil, err
	}
	defer l.give()
	return l.Store.Get(ctx, key, opts)
}

func (l limited) AtomicPut(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
	if err := l.take(ctx); err != nil {
		return false, nil, err
	}
	defer l.give()
	return l.Store.AtomicPut(ctx, key, value, previous, opts)
}

func (l limited) AtomicDelete(ctx context.Context, key string, previous *store.KVPair) (bool, error) {
	if err := l.take(ctx); err != nil {
		return false, err
	}
	defer l.give()
	return l.Store.AtomicDelete(ctx, key, previous)
}

func (l limited) List(ctx context.Context, directory string, opts *store.ReadOptions) ([]*store.KVPair, error) {
	if err := l.take(ctx); err != nil {
		return nil, err
	}
	defer l.give()
	return l.Store.List(ctx, directory, opts)
}
