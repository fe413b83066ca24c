package base

import (
	"context"
	"strings"

	"github.com/seed-a1d591d3/leadership/store"
)

// PageKeys is the largest number of keys in a page.
const PageKeys = 1000

// Page implements store.Pager for a store whose keys are in order. It calls keys, which
// returns the first PageKeys keys that begin with directory and are greater than after,
// and then read with the wanted ones among them, if there are any; keys that read does
// not find have been deleted since. A page begins behind the last key of the page before,
// which is its from.
func (s *Store) Page(ctx context.Context, directory, from string, wanted func(key string) bool,
	keys func(after string) ([]string, error), read func(keys []string) ([]*store.KVPair, error),
) (pairs []*store.KVPair, next string, err error) {
	err = s.check(ctx, "directory", directory)
	switch {
	case err != nil:
	case from == "":
		from = directory // which is not a key of the list
	case !strings.HasPrefix(from, directory) || s.check(ctx, "page", from) != nil:
		err = store.ErrInvalidPage
	}
	var found, reads []string
	if err == nil {
		found, err = keys(from)
	}
	for _, key := range found {
		if wanted(key) {
			reads = append(reads, key)
		} else {
			pairs = append(pairs, &store.KVPair{Key: key})
		}
	}
	if err == nil && len(reads) > 0 {
		var values []*store.KVPair
		values, err = read(reads)
		pairs = append(pairs, values...)
	}
	if err != nil {
		return nil, "", s.Failed(ctx, "list", directory, err)
	}
	if len(found) == PageKeys {
		next = found[PageKeys-1]
	}
	return pairs, next, nil
}
