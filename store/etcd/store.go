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
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

var _ store.Store = (*Store)(nil)

// Store is a key/value store in etcd. Make one with New or store.Open. All
// methods are safe for concurrent use and return soon after their context has
// ended, whatever the server does.
//
// The index of a pair is the revision of its last write. Revisions only rise and are
// never used again, even if a key is deleted and created again.
type Store struct {
	client *clientv3.Client
	base   base.Store
	owned  []io.Closer // to be closed by Close
	target store.Target
	stream atomic.Int64 // the number of the stream for new watches
	past   past
}

// New returns a store on a client. Close does not close the client. If the client's KV,
// Watcher or Lease have been replaced, as by package namespace of etcd, the store uses
// the replacements.
//
// Elections work better with a client that was made with DialOptions.
func New(client *clientv3.Client) *Store {
	s := &Store{client: client}
	s.base = base.Store{Name: "etcd", ShortestTTL: time.Second, Explain: s.explain}
	return s
}

// Target returns where a store by URL keeps its keys, and nil for one of New.
func (s *Store) Target() store.Target { return s.target }

// Get returns the pair under key, or store.ErrKeyNotFound. With opts.Consistent, or nil
// opts, the read is linearizable: it finds every write that was acknowledged before.
// Otherwise it returns the state of one member, which may be old.
func (s *Store) Get(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
	return s.base.Get(ctx, key, func() (*store.KVPair, error) {
		pair, _, err := s.read(ctx, key, readOptions(opts)...)
		return pair, err
	})
}

// AtomicPut writes value under key if the key is unchanged since previous, or, when
// previous is nil, if it is missing, in one transaction: its index and its value are
// compared. It returns true and the pair as written. Otherwise it writes nothing and
// returns store.ErrKeyExists if previous is nil, store.ErrKeyModified if the key was
// changed, or store.ErrKeyNotFound if it was deleted. After any other error the write may
// have happened.
//
// A TTL in opts is rounded up to whole seconds, takes effect up to two seconds late, and
// costs another request: see the package comment. It begins with the call. A TTL below a
// second, or below the minimum of the server, is store.ErrTTLNotSupported. 0 means no
// TTL; a negative TTL is an error. Other options are ignored, and opts may be nil.
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

// List returns the pairs whose keys begin with directory, sorted by key, as of one
// instant. directory is a plain prefix ("job" covers "jobs/1" too; end it with a slash to
// prevent that), and a key that equals it is left out. It returns store.ErrKeyNotFound if
// there are no such keys. opts are as in Get.
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

// Close ends all watches, and closes the client of a store from store.Open. Calls made
// later return store.ErrClosed. Close may be called again.
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

// read returns the pair under key, without a value if the key is missing, and the
// revision of the whole store at that time.
func (s *Store) read(ctx context.Context, key string, opts ...clientv3.OpOption) (*store.KVPair, int64, error) {
	ctx, _ = withCall(ctx)
	before := s.past.seen()
	found, err := s.client.Get(ctx, key, opts...)
	if err != nil {
		return nil, 0, err
	}
	if len(opts) == 0 { // otherwise the answer may be old
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
			// Not err, which would mean that nothing was written.
			return 0, fmt.Errorf("it may have been written: the key holds this value since revision %d, and the client may have sent it twice", there.kv.ModRevision)
		}
	}
	return index, err
}

// refusal is the answer of a transaction that has changed nothing.
type refusal struct {
	refused  bool // false: the outcome of the transaction is not known
	sentOnce bool // it was not refused because of an earlier request of the same call
	kv       *mvccpb.KeyValue
}

// swap does op on key if it is unchanged since previous, or missing if previous is nil,
// and returns the new revision.
func (s *Store) swap(ctx context.Context, key string, previous *store.KVPair, op clientv3.Op) (uint64, refusal, error) {
	// A missing key has the revision 0.
	var revision int64
	if previous != nil {
		if revision = int64(previous.LastIndex); revision == 0 {
			revision = -1 // the revision of no key, neither an existing nor a missing one
		}
	}
	unchanged := []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(key), "=", revision)}
	if previous != nil {
		// After a backup was restored another write may have this revision.
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

// first returns the result of the only read of a transaction, or nil.
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

// explain adds the remedy to a refusal. If a call has timed out, it makes the client
// connect at once: gRPC may be about to pause for up to two minutes, its default, and the
// caller will try again.
func (s *Store) explain(ctx context.Context, err error) error {
	if conn := s.client.ActiveConnection(); conn != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		conn.ResetConnectBackoff()
	}
	switch {
	case errors.Is(err, rpctypes.ErrTooManyRequests):
		return fmt.Errorf("%w: the members cannot keep up with all clients: have fewer of them, or faster disks", err)
	case errors.Is(err, rpctypes.ErrNoSpace):
		return fmt.Errorf("%w: compact, defragment and disarm the alarm by etcdctl, or raise --quota-backend-bytes", err)
	}
	return err
}
