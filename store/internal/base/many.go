package base

import (
	"context"
	"fmt"
	"slices"

	"github.com/seed-a1d591d3/leadership/store"
)

// GetMany implements store.ManyGetter. It calls read with the keys, sorted and each once,
// unless there are none, and looks in the pairs that read returns for each of them; it
// does not matter in what order they are, and if there are others.
func (s *Store) GetMany(ctx context.Context, keys []string, read func(keys []string) ([]*store.KVPair, error)) ([]*store.KVPair, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	for _, key := range keys {
		if err := s.CheckKey(ctx, key); err != nil {
			return nil, s.Failed(ctx, "get", key, err)
		}
	}
	sorted := slices.Clone(keys)
	slices.Sort(sorted)
	found, err := read(slices.Compact(sorted))
	if err != nil {
		return nil, s.Failed(ctx, fmt.Sprintf("get of %d keys, the first", len(keys)), keys[0], err)
	}
	byKey := make(map[string]*store.KVPair, len(found))
	for _, pair := range found {
		byKey[pair.Key] = pair
	}
	pairs := make([]*store.KVPair, len(keys))
	given := make(map[string]bool, len(found))
	for i, key := range keys {
		pair := byKey[key]
		if pair == nil || pair.Value == nil {
			continue
		}
		if given[key] { // the caller may change each
			pair = &store.KVPair{Key: key, Value: Copy(pair.Value), LastIndex: pair.LastIndex}
		}
		given[key] = true
		pairs[i] = pair
	}
	return pairs, nil
}
