package etcd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

var _ store.Store = (*Store)(nil)

// Store is a key/value store in etcd. Make one with New or store.Open. All
// methods are safe for concurrent use and return soon after their context has
// ended, whatever the server does.
//
// The index of a pair is the revision of its last write. Revisions rise for
// ever and are never used again, not even for a key that is deleted and created
// anew.
type Store struct {
	client *clientv3.Client
	base   base.Store
	owned  []io.Closer // what Close closes
	target store.Target
	stream atomic.Int64 // that new watches are put on
	past   past
}

// New returns a store on a client, which stays the caller's: Close does not
// close it. Where the client's KV, Watcher or Lease have been replaced, as
// package namespace of etcd does, the store uses what is there now.
//
// A client that was made with DialOptions serves elections better.
func New(client *clientv3.Client) *Store {
	s := &Store{client: client}
	s.base = base.Store{Name: "etcd", ShortestTTL: time.Second, Explain: s.reconnect}
	return s
}

// Target returns where a store by URL keeps its keys, and nil for one of New.
func (s *Store) Target() store.Target { return s.target }

// Get returns the pair under key, or store.ErrKeyNotFound. With opts.Consistent,
// or nil opts, the answer has been agreed upon by a majority of the members and
// finds every write that was acknowledged before. Otherwise it is what the
// member that is asked has, which may be old.
func (s *Store) Get(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
	return s.base.Get(ctx, key, func() (*store.KVPair, error) {
		pair, _, err := s.read(ctx, key, readOptions(opts)...)
		return pair, err
	})
}

// AtomicPut writes value under key if the key is unchanged since previous, or,
// when previous is nil, if it is missing, in one transaction: its index and its
// value are compared. It returns true and the pair as written. Otherwise it writes nothing and returns
// store.ErrKeyExists when previous is nil, store.ErrKeyModified when another
// write came between, or store.ErrKeyNotFound when the key is gone. After any
// other error the write may have happened.
//
// A TTL in opts is rounded up to whole seconds, is kept up to two seconds late,
// and costs another request: see the package comment. It is counted from the
// beginning of the call. One below a second, or below what the server allows,
// is store.ErrTTLNotSupported. 0 means never; a negative TTL is an error. Other
// options are ignored, and opts may be nil.
func (s *Store) AtomicPut(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
	return s.base.AtomicPut(ctx, key, value, opts, func(value []byte, ttl time.Duration) (uint64, error) {
		return s.put(ctx, key, value, previous, ttl)
	})
}

// AtomicDelete deletes key if it is unchanged since previous, and returns true.
// Otherwise it deletes nothing and returns store.ErrKeyModified,
// store.ErrKeyNotFound, or store.ErrPreviousNotSpecified when previous is nil.
// After any other error the key may have been deleted.
func (s *Store) AtomicDelete(ctx context.Context, key string, previous *store.KVPair) (bool, error) {
	return s.base.AtomicDelete(ctx, key, previous, func() error {
		_, _, err := s.swap(ctx, key, previous, clientv3.OpDelete(key))
		return err
	})
}

// List returns the pairs whose keys begin with directory, sorted by key, as of
// one instant. directory is a plain prefix ("job" covers "jobs/1" too; end it
// with a slash to prevent that), and a key that equals it is left out. It
// returns store.ErrKeyNotFound when there are no such keys. opts are as in Get.
func (s *Store) List(ctx context.Context, directory string, opts *store.ReadOptions) ([]*store.KVPair, error) {
	return s.base.List(ctx, directory, func() ([]*store.KVPair, error) {
		call, _ := withCall(ctx)
		found, err := s.client.Get(call, directory, append(readOptions(opts), clientv3.WithPrefix())...)
		if err != nil {
			return nil, err
		}
		var pairs []*store.KVPair
		for _, kv := range found.Kvs {
			pairs = append(pairs, pairOf(kv))
		}
		return pairs, nil
	})
}

// Close ends all watches. Calls made later return store.ErrClosed. Where
// store.Open made the client, it is closed too. Close may be called again.
func (s *Store) Close() error {
	if first := s.base.Close(); !first {
		return nil
	}
	var errs []error
	for _, c := range s.owned {
		if err := c.Close(); err != nil && !errors.Is(err, context.Canceled) {
			errs = append(errs, fmt.Errorf("etcd: close: %w", err))
		}
	}
	return errors.Join(errs...)
}

// read returns the pair under key, without a value if there is none, and the
// revision of the whole store that it was found in.
func (s *Store) read(ctx context.Context, key string, opts ...clientv3.OpOption) (*store.KVPair, int64, error) {
	ctx, _ = withCall(ctx)
	before := s.past.seen()
	found, err := s.client.Get(ctx, key, opts...)
	if err != nil {
		return nil, 0, err
	}
	if len(opts) == 0 { // else it may be old
		s.past.see(before, found.Header)
	}
	if len(found.Kvs) == 0 {
		return &store.KVPair{Key: key}, found.Header.Revision, nil
	}
	return pairOf(found.Kvs[0]), found.Header.Revision, nil
}

func (s *Store) put(ctx context.Context, key string, value []byte, previous *store.KVPair, ttl time.Duration) (uint64, error) {
	lease, err := s.grant(ctx, ttl)
	if err != nil {
		return 0, err
	}
	index, there, err := s.swap(ctx, key, previous, clientv3.OpPut(key, string(value), clientv3.WithLease(lease)))
	if there.refused {
		s.revoke(ctx, lease)
		if !there.sentOnce && there.kv != nil && bytes.Equal(there.kv.Value, value) {
			// Not err: that would say that nothing was written.
			return 0, fmt.Errorf("it may have been written: the key holds this value since revision %d, and the client may have sent it twice", there.kv.ModRevision)
		}
	}
	return index, err
}

// refusal is what a transaction that changed nothing found.
type refusal struct {
	refused  bool // false: what became of the transaction is not known
	sentOnce bool // the client cannot have been refused because of itself
	kv       *mvccpb.KeyValue
}

// swap does op on key if it is unchanged since previous, or missing for nil,
// and returns the revision that it made.
func (s *Store) swap(ctx context.Context, key string, previous *store.KVPair, op clientv3.Op) (uint64, refusal, error) {
	// A missing key has the revision 0.
	var revision int64
	if previous != nil {
		if revision = int64(previous.LastIndex); revision == 0 {
			revision = -1 // no key's, be it there or not
		}
	}
	unchanged := []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(key), "=", revision)}
	if previous != nil {
		// After a backup was restored a revision may be another write's.
		unchanged = append(unchanged, clientv3.Compare(clientv3.Value(key), "=", string(previous.Value)))
	}
	ctx, c := withCall(ctx)
	before := s.past.seen()
	done, err := s.client.Txn(ctx).
		If(unchanged...).
		Then(op).
		Else(clientv3.OpGet(key)).
		Commit()
	if err != nil {
		return 0, refusal{}, err
	}
	s.past.see(before, done.Header)
	if done.Succeeded {
		return uint64(done.Header.Revision), refusal{}, nil
	}
	there := refusal{refused: true, sentOnce: c.guarded, kv: first(done.Responses)}
	switch {
	case previous == nil:
		return 0, there, store.ErrKeyExists
	case there.kv == nil:
		return 0, there, store.ErrKeyNotFound
	default:
		return 0, there, store.ErrKeyModified
	}
}

// first returns what the one read of a transaction found, or nil.
func first(responses []*etcdserverpb.ResponseOp) *mvccpb.KeyValue {
	if len(responses) == 0 || len(responses[0].GetResponseRange().GetKvs()) == 0 {
		return nil
	}
	return responses[0].GetResponseRange().Kvs[0]
}

func readOptions(opts *store.ReadOptions) []clientv3.OpOption {
	if opts == nil || opts.Consistent {
		return nil
	}
	return []clientv3.OpOption{clientv3.WithSerializable()}
}

func pairOf(kv *mvccpb.KeyValue) *store.KVPair {
	return &store.KVPair{Key: string(kv.Key), Value: base.NotNil(kv.Value), LastIndex: uint64(kv.ModRevision)}
}

// reconnect has the client connect again if a call has had to wait too long: it may be
// about to pause for up to two minutes, as gRPC does by default, and the caller will try
// again. It returns err.
func (s *Store) reconnect(ctx context.Context, err error) error {
	if conn := s.client.ActiveConnection(); conn != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		conn.ResetConnectBackoff()
	}
	return err
}
