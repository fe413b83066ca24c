package memory

import (
	"context"

	"github.com/seed-a1d591d3/leadership/store"
)

var _ store.ManyGetter = (*Store)(nil)

// GetMany implements store.ManyGetter, as of one instant.
func (s *Store) GetMany(ctx context.Context, keys []string) ([]*store.KVPair, error) {
	pairs := make([]*store.KVPair, len(keys))
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, key := range keys {
		if err := s.usableFor(ctx, key); err != nil {
			return nil, failed("get", key, err)
		}
		if e, found := s.lookup(key); found {
			pairs[i] = e.pair(key)
		}
	}
	return pairs, nil
}
