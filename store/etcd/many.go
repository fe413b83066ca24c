package etcd

import (
	"context"
	"errors"
	"slices"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

var _ store.ManyGetter = (*Store)(nil)

// GetMany implements store.ManyGetter. Up to 100 keys are one request. For more of them
// the store first asks how many keys there are from the least of them to the greatest: if
// at most twice as many, it reads all of those, a thousand in a request, and otherwise
// only the wanted ones, a hundred in a request. All reads are linearizable.
func (s *Store) GetMany(ctx context.Context, keys []string) ([]*store.KVPair, error) {
	return s.base.GetMany(ctx, keys, func(keys []string) ([]*store.KVPair, error) {
		if len(keys) > pageReads {
			dense, err := s.dense(ctx, keys)
			if err != nil {
				return nil, err
			}
			if dense {
				return s.readSpan(ctx, keys)
			}
		}
		return s.readEach(ctx, keys)
	})
}

// span returns the end of a range that begins with the first of sorted keys and has the
// last one as its last.
func span(keys []string) clientv3.OpOption {
	return clientv3.WithRange(keys[len(keys)-1] + "\x00")
}

// dense reports whether most of the keys between the first and the last of sorted keys are
// these. A user may have no right to ask.
func (s *Store) dense(ctx context.Context, keys []string) (bool, error) {
	found, err := s.look(ctx, keys[0], span(keys), clientv3.WithCountOnly())
	if errors.Is(err, rpctypes.ErrPermissionDenied) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return found.Count <= 2*int64(len(keys)), nil
}

// readSpan returns the pairs of those of the sorted keys that exist.
func (s *Store) readSpan(ctx context.Context, keys []string) (pairs []*store.KVPair, err error) {
	for from, more := keys[0], true; more; {
		found, err := s.look(ctx, from, span(keys), clientv3.WithLimit(base.PageKeys))
		if err != nil {
			return nil, err
		}
		for _, kv := range found.Kvs {
			if _, wanted := slices.BinarySearch(keys, string(kv.Key)); wanted {
				pairs = append(pairs, pairOf(kv))
			}
			from = string(kv.Key) + "\x00"
		}
		more = found.More && len(found.Kvs) > 0
	}
	return pairs, nil
}

// look makes a linearizable read.
func (s *Store) look(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	call, _ := withCall(ctx)
	before := s.past.seen()
	found, err := s.client.Get(call, key, opts...)
	if err == nil {
		s.past.see(before, found.Header)
	}
	return found, err
}

// readEach returns the pairs of those keys that exist.
func (s *Store) readEach(ctx context.Context, keys []string) (pairs []*store.KVPair, err error) {
	for some := range slices.Chunk(keys, pageReads) {
		var reads []clientv3.Op
		for _, key := range some {
			reads = append(reads, clientv3.OpGet(key))
		}
		call, _ := withCall(ctx)
		before := s.past.seen()
		found, err := s.client.Txn(call).Then(reads...).Commit()
		if err != nil {
			return nil, err
		}
		s.past.see(before, found.Header)
		for _, answer := range found.Responses {
			for _, kv := range answer.GetResponseRange().Kvs {
				pairs = append(pairs, pairOf(kv))
			}
		}
	}
	return pairs, nil
}
