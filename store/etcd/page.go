package etcd

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

var _ store.Pager = (*Store)(nil)

// pageReads is how many values are read in one transaction. By default a server allows
// 128 operations in one.
const pageReads = 100

// Page implements store.Pager, by one request for the keys and one for each hundred
// values.
func (s *Store) Page(ctx context.Context, directory, from string, wanted func(key string) bool) ([]*store.KVPair, string, error) {
	end := clientv3.GetPrefixRangeEnd(directory)
	keys := func(after string) (keys []string, err error) {
		call, _ := withCall(ctx)
		found, err := s.client.Get(call, after+"\x00", clientv3.WithRange(end), clientv3.WithLimit(base.PageKeys), clientv3.WithKeysOnly())
		if err != nil {
			return nil, err
		}
		for _, kv := range found.Kvs {
			keys = append(keys, string(kv.Key))
		}
		return keys, nil
	}
	read := func(keys []string) ([]*store.KVPair, error) { return s.readEach(ctx, keys) }
	return s.base.Page(ctx, directory, from, wanted, keys, read)
}
