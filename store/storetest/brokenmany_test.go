package storetest

import (
	"context"
	"slices"
	"strings"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// The breakages of GetMany.

// manyOf changes what GetMany returns.
func manyOf(f func(pairs []*store.KVPair) []*store.KVPair) breakage {
	return func(b *broken, _ *memory.Store) {
		b.many = func(ctx context.Context, keys []string) ([]*store.KVPair, error) {
			pairs, err := store.GetMany(ctx, b.Store, keys)
			return f(pairs), err
		}
	}
}

func sortsPairs(pairs []*store.KVPair) []*store.KVPair {
	key := func(pair *store.KVPair) string {
		if pair == nil {
			return ""
		}
		return pair.Key
	}
	slices.SortFunc(pairs, func(a, b *store.KVPair) int { return strings.Compare(key(a), key(b)) })
	return pairs
}

func dropsMissing(pairs []*store.KVPair) []*store.KVPair {
	return slices.DeleteFunc(pairs, func(pair *store.KVPair) bool { return pair == nil })
}

// findsAPage finds a thousand pairs at most.
func findsAPage(pairs []*store.KVPair) []*store.KVPair {
	if len(pairs) > 1000 {
		clear(pairs[1000:])
	}
	return pairs
}

func losesIndexes(pairs []*store.KVPair) []*store.KVPair {
	for _, pair := range pairs {
		if pair != nil {
			pair.LastIndex = 0
		}
	}
	return pairs
}

func sharesPairs(pairs []*store.KVPair) []*store.KVPair {
	first := make(map[string]*store.KVPair)
	for i, pair := range pairs {
		switch {
		case pair == nil:
		case first[pair.Key] == nil:
			first[pair.Key] = pair
		default:
			pairs[i] = first[pair.Key]
		}
	}
	return pairs
}

// manyOfThePast finds what this client found a call before.
func manyOfThePast(b *broken, _ *memory.Store) {
	b.many = func(ctx context.Context, keys []string) ([]*store.KVPair, error) {
		now, err := store.GetMany(ctx, b.Store, keys)
		if err != nil {
			return nil, err
		}
		past.Lock()
		defer past.Unlock()
		pairs := slices.Clone(now)
		for i, key := range keys {
			if old := past.pairs[key]; old != nil {
				pairs[i] = old
			}
			past.pairs[key] = now[i]
		}
		return pairs, nil
	}
}
