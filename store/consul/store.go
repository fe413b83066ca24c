package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

var _ store.Store = (*Store)(nil)

// Store is the key/value store of Consul. Make one with New, or by store.Open.
// All methods are safe for concurrent use, and end within 100 ms of their
// context's end, whatever the server does; an ended context prevents the call.
//
// An index is that of Consul's log: it rises with every write and is never used again,
// even if a key is deleted and created again.
type Store struct {
	client *api.Client
	base   base.Store
	limits base.Limits
	passes base.Passes
	waits  chan struct{} // has an element for each watch that holds a connection
	target store.Target
	token  *store.SecretFile // nil: the client's
	own    func()            // closes the client of a store by URL

	// Of Consul Enterprise. Unlike other calls, a transaction does not take them from the
	// client's configuration.
	namespace, partition string
}

// New returns a store on a client. Close does not close the client.
func New(client *api.Client) *Store {
	s := &Store{client: client, limits: base.NewLimits(maxReads, maxWrites), waits: make(chan struct{}, maxWaits)}
	s.base = base.Store{Name: "consul", ShortestTTL: base.NoTTL, Explain: s.explain}
	return s
}

// By default an agent allows 200 connections of one address, and each request holds one.
// So a store has at most store.DefaultMaxWatches connections for watches and 16 for other
// requests, which wait for their turn: there is room for four programs on one machine,
// and for commands of people. Further watches poll.
const maxReads, maxWrites, maxWaits = 8, 8, store.DefaultMaxWatches

// Target returns where a store by URL keeps its keys, and nil for one of New.
func (s *Store) Target() store.Target { return s.target }

// Get returns the pair under key, or store.ErrKeyNotFound. With nil opts, or
// opts.Consistent, the server first checks that it still leads. Otherwise a server that
// has lost the lead without knowing it yet may answer with an older state.
func (s *Store) Get(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
	return s.base.Get(ctx, key, func() (*store.KVPair, error) {
		var found *api.KVPair
		err := s.limits.Read(ctx, func() (err error) {
			found, _, err = s.client.KV().Get(escape(key), s.query(ctx, opts))
			return err
		})
		if err != nil || found == nil {
			return nil, err
		}
		return pairOf(key, found), nil
	})
}

// AtomicPut writes value under key if the key is unchanged since previous, or,
// when previous is nil, if it is missing; in one round trip. It returns true and
// the pair as written. Otherwise it writes nothing and returns
// store.ErrKeyExists when previous is nil, store.ErrKeyModified when another
// write came between, or store.ErrKeyNotFound when the key is gone. After any
// other error the write may have happened.
//
// Consul does not delete keys by itself: a TTL is store.ErrTTLNotSupported, and nothing
// is written. Other options are ignored, and opts may be nil.
func (s *Store) AtomicPut(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
	return s.base.AtomicPut(ctx, key, value, opts, func(value []byte, _ time.Duration) (uint64, error) {
		write := api.KVTxnOp{Verb: api.KVCAS, Key: escape(key), Value: value}
		if previous != nil {
			write.Index = previous.LastIndex
			// A write that changes nothing keeps the index in Consul. The present pair
			// has an older index as its flags, so these flags are a change.
			write.Flags = previous.LastIndex
		}
		return s.transact(ctx, previous, write)
	})
}

// AtomicDelete deletes key if it is unchanged since previous, and returns true;
// in one round trip. Otherwise it deletes nothing and returns
// store.ErrKeyModified, store.ErrKeyNotFound, or store.ErrPreviousNotSpecified
// when previous is nil. After any other error the key may have been deleted.
func (s *Store) AtomicDelete(ctx context.Context, key string, previous *store.KVPair) (bool, error) {
	return s.base.AtomicDelete(ctx, key, previous, func() error {
		_, err := s.transact(ctx, previous, api.KVTxnOp{Verb: api.KVDeleteCAS, Key: escape(key), Index: previous.LastIndex})
		return err
	})
}

// transact does op if its key is unchanged since previous, and returns the new index,
// which is 0 after a delete. It is a transaction because no other call of Consul returns
// the index.
func (s *Store) transact(ctx context.Context, previous *store.KVPair, op api.KVTxnOp) (uint64, error) {
	op.Namespace, op.Partition = s.namespace, s.partition
	ops := api.TxnOps{{KV: &op}}
	if previous != nil {
		// Its error distinguishes a deleted key from a changed one. And without it, op
		// with index 0 would not be conditional.
		check := api.KVTxnOp{Verb: api.KVCheckIndex, Key: op.Key, Index: op.Index, Namespace: op.Namespace, Partition: op.Partition}
		ops = api.TxnOps{{KV: &check}, {KV: &op}}
	}
	var (
		ok     bool
		answer *api.TxnResponse
	)
	err := s.limits.Write(ctx, func() (err error) {
		ok, answer, _, err = s.client.Txn().Txn(ops, s.query(ctx, &store.ReadOptions{}))
		return err
	})
	switch {
	case err != nil:
		return 0, err
	case !ok:
		return 0, refusal(answer.Errors, previous)
	case op.Verb == api.KVDeleteCAS:
		return 0, nil
	}
	// Consul leaves out results that the token may not read.
	if n := len(answer.Results); n != len(ops) || answer.Results[n-1].KV == nil {
		return 0, fmt.Errorf("written, but Consul answered with %d results to %d operations", n, len(ops))
	}
	return answer.Results[len(ops)-1].KV.ModifyIndex, nil
}

// refusal returns why a transaction was rolled back. Consul gives its reason only as
// text, so a text that is not known, such as that for a token that may not write, is
// passed on.
func refusal(errs api.TxnErrors, previous *store.KVPair) error {
	err := errors.New("refused without a reason")
	for _, e := range errs {
		switch {
		case strings.HasSuffix(e.What, "index is stale"), strings.HasPrefix(e.What, "failed index check"):
			if previous == nil {
				return store.ErrKeyExists
			}
			err = store.ErrKeyModified
		case strings.HasSuffix(e.What, "doesn't exist"):
			return store.ErrKeyNotFound
		default:
			return fmt.Errorf("refused: %s", e.What)
		}
	}
	return err
}

// List returns the pairs whose keys begin with directory, as of one instant. As in
// valkeyrie's stores, directory is a plain prefix ("job" covers "jobs/1" too; end it with
// a slash to prevent that), and a key that equals it is left out. It returns
// store.ErrKeyNotFound if there are no such keys, and leaves out those that the token may
// not read. opts are as for Get.
func (s *Store) List(ctx context.Context, directory string, opts *store.ReadOptions) ([]*store.KVPair, error) {
	return s.base.List(ctx, directory, func() ([]*store.KVPair, error) {
		var found api.KVPairs
		err := s.limits.List(ctx, func() (err error) {
			found, _, err = s.client.KV().List(escapePrefix(directory), s.query(ctx, opts))
			return err
		})
		var pairs []*store.KVPair
		for _, f := range found {
			if key, ok := unescape(f.Key); ok {
				pairs = append(pairs, pairOf(key, f))
			}
		}
		return pairs, err
	})
}

// Close ends all watches and waits until they have ended. Calls made later return
// store.ErrClosed. It does not close a client that was given to New, may be called again,
// and always returns nil.
func (s *Store) Close() error {
	if s.base.Close() && s.own != nil {
		s.own()
	}
	return nil
}

func (s *Store) query(ctx context.Context, opts *store.ReadOptions) *api.QueryOptions {
	q := &api.QueryOptions{RequireConsistent: opts == nil || opts.Consistent}
	if s.token != nil {
		q.Token, _ = s.token.Get() // on an error, the last token that was read: the server decides whether it is valid
	}
	return q.WithContext(ctx)
}

func pairOf(key string, found *api.KVPair) *store.KVPair {
	return &store.KVPair{Key: key, Value: base.NotNil(found.Value), LastIndex: found.ModifyIndex}
}

// explain adds the remedy to a refusal, and the reason why a token was not read again.
func (s *Store) explain(_ context.Context, err error) error {
	var status api.StatusError
	if errors.As(err, &status) && status.Code == http.StatusTooManyRequests {
		return fmt.Errorf("%w: raise the agent's limits (limits.http_max_conns_per_client, limits.request_limits), "+
			"or run fewer programs at this address", err)
	}
	if s.token != nil && isRefusal(err) {
		if _, unread := s.token.Get(); unread != nil {
			return fmt.Errorf("%w; the token could not be read again: %w", err, unread)
		}
	}
	return err
}
