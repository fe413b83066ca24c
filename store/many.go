package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// ManyGetter is a Store that reads many keys in few calls. It is optional: GetMany works
// with every Store.
type ManyGetter interface {
	// GetMany returns the pairs under keys, in their order, with nil for a key that is
	// missing. Each pair is what Get with Consistent would have returned at some instant
	// of the call; different keys may be read at different instants. A key may be given
	// more than once. After an error nothing counts as read: also if Get of a single one
	// of the keys would return an error other than ErrKeyNotFound. With no keys it makes
	// no call.
	GetMany(ctx context.Context, keys []string) ([]*KVPair, error)
}

// getsAtOnce is how many calls of Get are under way at once in place of one of GetMany.
const getsAtOnce = 8

// GetMany returns what GetMany of kv returns if that is a ManyGetter, and otherwise what a
// Get of each key returns. Of these 8 are under way at once, at most; none begins after an
// error or the end of ctx, and it returns when all have.
func GetMany(ctx context.Context, kv Store, keys []string) ([]*KVPair, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	if many, ok := kv.(ManyGetter); ok {
		return many.GetMany(ctx, keys)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		pairs  = make([]*KVPair, len(keys))
		next   atomic.Int64
		gets   sync.WaitGroup
		mu     sync.Mutex
		failed error // the first one: the others may be due to cancel
	)
	get := func(i int) {
		pair, err := kv.Get(ctx, keys[i], &ReadOptions{Consistent: true})
		switch {
		case err == nil:
			pairs[i] = pair
		case !errors.Is(err, ErrKeyNotFound):
			mu.Lock()
			defer mu.Unlock()
			if failed == nil {
				failed = err
				cancel(err)
			}
		}
	}
	get(0) // which also finds out whether ctx has ended
	for range min(getsAtOnce, len(keys)-1) {
		gets.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1))
				if i >= len(keys) {
					return
				}
				get(i)
			}
		})
	}
	gets.Wait()
	if failed == nil && int(next.Load()) < len(keys)-1 {
		failed = fmt.Errorf("store: get of %d keys, the first %q: %w", len(keys), keys[0], ctx.Err())
	}
	if failed != nil {
		return nil, failed
	}
	return pairs, nil
}

// GetMany implements ManyGetter, by the store beneath.
func (p *prefixed) GetMany(ctx context.Context, keys []string) ([]*KVPair, error) {
	full := make([]string, len(keys))
	for i, key := range keys {
		if key == "" {
			return nil, errEmptyKey
		}
		full[i] = p.prefix + key
	}
	pairs, err := GetMany(ctx, p.kv, full)
	if err != nil {
		return nil, err
	}
	for i := range pairs {
		pairs[i] = p.strip(pairs[i])
	}
	return pairs, nil
}
