package consul

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/seed-a1d591d3/leadership/store"
)

var _ store.Pager = (*Store)(nil)

// pageReads is how many values are read in one transaction, in which Consul allows 64
// operations.
const pageReads = 64

// Page implements store.Pager, by one request for all keys, without values, at the first
// page of a pass, and one transaction for each 64 wanted values. Consul cannot list a part
// of the keys.
func (s *Store) Page(ctx context.Context, directory, from string, wanted func(key string) bool) ([]*store.KVPair, string, error) {
	return s.base.Pass(ctx, &s.passes, directory, from, wanted, func() (keys []string, err error) {
		var found []string
		err = s.limits.List(ctx, func() (err error) {
			found, _, err = s.client.KV().Keys(escapePrefix(directory), "", s.query(ctx, nil))
			return err
		})
		for _, stored := range found {
			if key, ok := unescape(stored); ok {
				keys = append(keys, key)
			}
		}
		return keys, err
	}, func(keys []string) (pairs []*store.KVPair, err error) {
		for some := range slices.Chunk(keys, pageReads) {
			read, err := s.readAll(ctx, some)
			if err != nil {
				return nil, err
			}
			pairs = append(pairs, read...)
		}
		return pairs, nil
	})
}

// readAll returns the pairs under keys, at most pageReads, in one transaction. It leaves
// out those that do not exist, and those that the token may not read.
func (s *Store) readAll(ctx context.Context, keys []string) (pairs []*store.KVPair, err error) {
	var ops api.TxnOps
	for _, key := range keys {
		ops = append(ops, &api.TxnOp{KV: &api.KVTxnOp{Verb: api.KVGet, Key: escape(key), Namespace: s.namespace, Partition: s.partition}})
	}
	// A key that is missing fails the transaction, and the next one leaves it out.
	for len(ops) > 0 {
		var (
			ok     bool
			answer *api.TxnResponse
		)
		err := s.limits.List(ctx, func() (err error) {
			ok, answer, _, err = s.client.Txn().Txn(ops, s.query(ctx, nil))
			return err
		})
		if err != nil {
			return nil, err
		}
		if !ok {
			missing := make(map[int]bool)
			for _, e := range answer.Errors {
				if !strings.HasSuffix(e.What, "doesn't exist") {
					return nil, fmt.Errorf("refused: %s", e.What)
				}
				missing[e.OpIndex] = true
			}
			var left api.TxnOps
			for i, op := range ops {
				if !missing[i] {
					left = append(left, op)
				}
			}
			if len(left) == len(ops) {
				return nil, errors.New("refused without a reason")
			}
			ops = left
			continue
		}
		for _, result := range answer.Results {
			if result.KV == nil {
				continue
			}
			if key, ok := unescape(result.KV.Key); ok {
				pairs = append(pairs, pairOf(key, result.KV))
			}
		}
		return pairs, nil
	}
	return nil, nil
}
