package redis

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-a1d591d3/leadership/store"
)

var _ store.Pager = (*Store)(nil)

// Page implements store.Pager, by one step of SCAN and one round trip for the values of
// the wanted keys. The keys have no order, and a key may occur twice. A cluster has one
// page.
func (s *Store) Page(ctx context.Context, directory, from string, wanted func(key string) bool) ([]*store.KVPair, string, error) {
	type page struct {
		pairs []*store.KVPair
		next  string
	}
	found, err := reading(ctx, s, s.limits.List, func() (page, error) {
		pairs, next, err := s.page(ctx, directory, from, wanted)
		return page{pairs, next}, err
	})
	if err != nil {
		return nil, "", s.base.Failed(ctx, "list", directory, err)
	}
	return found.pairs, found.next, nil
}

func (s *Store) page(ctx context.Context, directory, from string, wanted func(key string) bool) ([]*store.KVPair, string, error) {
	keys, next, err := s.pageKeys(ctx, directory, from)
	if err != nil {
		return nil, "", err
	}
	var pairs []*store.KVPair
	var reads []string
	for _, key := range keys {
		switch {
		case !strings.HasPrefix(key, directory) || key == directory:
		case wanted(key):
			reads = append(reads, key)
		default:
			pairs = append(pairs, &store.KVPair{Key: key})
		}
	}
	if from == "" && len(reads) == 0 {
		reads = []string{directory + "0"} // a replica answers SCAN, but refuses this
	}
	for some := range slices.Chunk(reads, 500) {
		read, err := s.readAll(ctx, some)
		if err != nil {
			return nil, "", err
		}
		pairs = append(pairs, read...)
	}
	return pairs, next, nil
}

// pageKeys returns keys that begin with directory, and the cursor of the next page.
func (s *Store) pageKeys(ctx context.Context, directory, from string) (keys []string, next string, err error) {
	if cluster, ok := s.client.(masters); ok {
		keys, err = scanAll(ctx, cluster, directory)
		return keys, "", err
	}
	cursor := uint64(0)
	if from != "" {
		if cursor, err = strconv.ParseUint(from, 10, 64); err != nil {
			return nil, "", store.ErrInvalidPage
		}
	}
	keys, cursor, err = s.client.Scan(ctx, cursor, pattern(directory), scanCount).Result()
	if cursor != 0 {
		next = strconv.FormatUint(cursor, 10)
	}
	slices.Sort(keys)
	return slices.Compact(keys), next, err
}
