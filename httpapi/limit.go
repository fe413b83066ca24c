package httpapi

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// How many calls of the store are under way at once, at most, for each kind of
// caller: no caller waits behind another kind. Reads get few, because readers may be
// many, and share the connections of the store with those who change something.
const (
	claimCalls   = 128 // claims, renewals, resignations
	requestCalls = 32  // operators' requests
	roundCalls   = 64  // elections and completions of rounds
	readCalls    = 16  // reads
	awaitCalls   = 8   // reads for clients that wait for rounds
	ownCalls     = 16  // the handler's own: observing, sweeping

	// listCalls is how many lists are read and encoded at once: each takes the store
	// and this process a long time.
	listCalls = 2
)

// stores are one store, limited for each kind of caller.
type stores struct {
	claims, requests, rounds, reads, lists, awaits, own store.Store
}

func newStores(kv store.Store, m *metrics) stores {
	return stores{
		claims: limit(kv, claimCalls, m), requests: limit(kv, requestCalls, m), rounds: limit(kv, roundCalls, m),
		reads: limit(kv, readCalls, m), lists: limit(kv, listCalls, m),
		awaits: limit(kv, awaitCalls, m), own: limit(kv, ownCalls, m),
	}
}

// errBusy means that a call of the store was not made because there were too many.
var errBusy = errors.New("too many calls of the store")

// limited bounds how many calls of a store are under way, so that calls do not pile up
// on a store that hangs and ignores its contexts. It counts and times them.
type limited struct {
	store.Store
	slots   chan struct{}
	metrics *metrics
}

func limit(kv store.Store, n int, m *metrics) limited {
	return limited{kv, make(chan struct{}, n), m}
}

// take waits for a slot, until ctx ends.
func (l limited) take(ctx context.Context, op string) error {
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		err := fmt.Errorf("httpapi: %w, %d, are under way: %w", errBusy, cap(l.slots), context.Cause(ctx))
		l.metrics.failed(op, err)
		return err
	}
}

// give returns the slot of a call that began at that time.
func (l limited) give(op string, began time.Time, err *error) {
	<-l.slots
	l.metrics.called(op, began, *err)
}

func (l limited) Get(ctx context.Context, key string, opts *store.ReadOptions) (_ *store.KVPair, err error) {
	if err := l.take(ctx, "get"); err != nil {
		return nil, err
	}
	defer l.give("get", time.Now(), &err)
	return l.Store.Get(ctx, key, opts)
}

// GetMany implements store.ManyGetter.
func (l limited) GetMany(ctx context.Context, keys []string) (_ []*store.KVPair, err error) {
	if err := l.take(ctx, "get_many"); err != nil {
		return nil, err
	}
	defer l.give("get_many", time.Now(), &err)
	return store.GetMany(ctx, l.Store, keys)
}

func (l limited) AtomicPut(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (_ bool, _ *store.KVPair, err error) {
	if err := l.take(ctx, "atomic_put"); err != nil {
		return false, nil, err
	}
	defer l.give("atomic_put", time.Now(), &err)
	return l.Store.AtomicPut(ctx, key, value, previous, opts)
}

func (l limited) AtomicDelete(ctx context.Context, key string, previous *store.KVPair) (_ bool, err error) {
	if err := l.take(ctx, "atomic_delete"); err != nil {
		return false, err
	}
	defer l.give("atomic_delete", time.Now(), &err)
	return l.Store.AtomicDelete(ctx, key, previous)
}

func (l limited) List(ctx context.Context, directory string, opts *store.ReadOptions) (_ []*store.KVPair, err error) {
	if err := l.take(ctx, "list"); err != nil {
		return nil, err
	}
	defer l.give("list", time.Now(), &err)
	return l.Store.List(ctx, directory, opts)
}

// Page implements store.Pager, by List if the store is none.
func (l limited) Page(ctx context.Context, directory, from string, wanted func(key string) bool) (_ []*store.KVPair, _ string, err error) {
	if err := l.take(ctx, "list"); err != nil {
		return nil, "", err
	}
	defer l.give("list", time.Now(), &err)
	return store.Page(ctx, l.Store, directory, from, wanted)
}

// Watch takes no slot: what it returns lasts.
func (l limited) Watch(ctx context.Context, key string, opts *store.ReadOptions) (_ <-chan *store.KVPair, err error) {
	defer func(began time.Time) { l.metrics.called("watch", began, err) }(time.Now())
	return l.Store.Watch(ctx, key, opts)
}

// Beneath returns the store that is limited, so that all its watches are bounded
// together.
func (l limited) Beneath(key string) (store.Store, string) { return l.Store, key }
