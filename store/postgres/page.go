package postgres

import (
	"context"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

var _ store.Pager = (*Store)(nil)

// Page implements store.Pager, by one statement for the keys and one for the values.
func (s *Store) Page(ctx context.Context, directory, from string, wanted func(key string) bool) ([]*store.KVPair, string, error) {
	keys := func(after string) (keys []string, err error) {
		all, err := s.find(ctx, s.table.keys, directory, true, after, base.PageKeys)
		for _, f := range all {
			keys = append(keys, f.pair.Key)
		}
		return keys, err
	}
	read := func(keys []string) (pairs []*store.KVPair, err error) {
		all, err := s.find(ctx, s.table.values, directory, true, keys)
		for _, f := range all {
			pairs = append(pairs, f.pair)
		}
		return pairs, err
	}
	return s.base.Page(ctx, directory, from, wanted, keys, read)
}
