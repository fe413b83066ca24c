package postgres

import (
	"context"
	"slices"

	"github.com/seed-a1d591d3/leadership/store"
)

var _ store.ManyGetter = (*Store)(nil)

// manyReads is how many keys one statement reads.
const manyReads = 2500

// GetMany implements store.ManyGetter, by one statement for each 2,500 keys. A standby is
// as for Get with Consistent.
func (s *Store) GetMany(ctx context.Context, keys []string) ([]*store.KVPair, error) {
	return s.base.GetMany(ctx, keys, func(keys []string) (pairs []*store.KVPair, err error) {
		for some := range slices.Chunk(keys, manyReads) {
			all, err := s.find(ctx, s.table.many, "", true, some)
			if err != nil {
				return nil, err
			}
			for _, f := range all {
				pairs = append(pairs, f.pair)
			}
		}
		return pairs, nil
	})
}
