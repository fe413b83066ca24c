package zookeeper

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

var (
	_ store.Store = (*Store)(nil)
	_ store.Pager = (*Store)(nil)
)

// Store is a store in the nodes of ZooKeeper. Make one with New, or by
// store.Open. All methods are safe for concurrent use, and end within 100 ms of
// their context's end, whatever the server does; an ended context prevents the
// call. While the client has no session they wait for one.
//
// An index is the version of the node plus one. The node remains when its key is deleted,
// so an index is never used again, unless another program deletes the node.
type Store struct {
	conn   *zk.Conn
	acl    []zk.ACL
	base   base.Store
	target store.Target
	login  *login       // of the store's own client; nil for none
	why    func() error // returns why there is no session; nil: not known
	own    func()       // closes the client of a store by URL
	limits base.Limits

	lost atomic.Int64 // since when the client has no session, in ns of Unix time; 0: it has one

	mu    sync.Mutex
	armed map[string]<-chan zk.Event // by node: the watch of the client
}

// Option is an option of New.
type Option func(*Store)

// WithACL sets the ACL of nodes that the store creates. By default everybody has all
// rights on them. For a client that has logged in, zk.AuthACL(zk.PermAll) gives all
// rights to that login and none to others. Existing nodes keep their ACL.
func WithACL(acl []zk.ACL) Option { return func(s *Store) { s.acl = acl } }

// New returns a store on a client. Close does not close the client. The client need not
// have a session yet.
func New(conn *zk.Conn, opts ...Option) *Store {
	s := &Store{
		base:   base.Store{Name: "zookeeper", ShortestTTL: base.NoTTL},
		conn:   conn,
		acl:    zk.WorldACL(zk.PermAll),
		limits: base.NewLimits(maxReads, maxWrites),
		armed:  make(map[string]<-chan zk.Event),
	}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// Target returns where a store by URL keeps its keys, and nil for one of New.
func (s *Store) Target() store.Target { return s.target }

// Get returns the pair under key, or store.ErrKeyNotFound. With nil opts, or
// opts.Consistent, the server first catches up with the leader, which takes another round
// trip. Otherwise the result may be as old as the server lags behind.
func (s *Store) Get(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
	return s.base.Get(ctx, key, func() (*store.KVPair, error) {
		return read(ctx, s, s.limits.Read, opts, func() (*store.KVPair, error) {
			data, stat, err := s.conn.Get(nodeOf(key))
			if errors.Is(err, zk.ErrNoNode) {
				return nil, nil
			}
			return pairOf(key, data, stat), err
		})
	})
}

// AtomicPut writes value under key if the key is unchanged since previous, or, when
// previous is nil, if it is missing. It returns true and the pair as written. Otherwise
// it writes nothing and returns store.ErrKeyExists if previous is nil,
// store.ErrKeyModified if the key was changed, or store.ErrKeyNotFound if there is no
// node. After any other error the write may have happened, or, if the context ended, may
// still happen.
//
// It takes one round trip, and more to create a key whose parent nodes are missing, or
// that was deleted before.
//
// By default ZooKeeper does not delete nodes by itself: a TTL is
// store.ErrTTLNotSupported, and nothing is written. Other options are ignored, and opts
// may be nil.
func (s *Store) AtomicPut(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
	return s.base.AtomicPut(ctx, key, value, opts, func(value []byte, _ time.Duration) (uint64, error) {
		if previous != nil {
			return s.swap(ctx, key, value, previous)
		}
		stat, err := call(ctx, s, s.limits.Write, func() (*zk.Stat, error) { return s.create(ctx, nodeOf(key), value) })
		return indexOf(stat), err
	})
}

// AtomicDelete deletes key if it is unchanged since previous, and returns true. Otherwise
// it deletes nothing and returns store.ErrKeyModified, store.ErrKeyNotFound, or
// store.ErrPreviousNotSpecified when previous is nil. After any other error the key may
// have been deleted, or, if the context ended, may still be deleted. The node remains,
// without data.
func (s *Store) AtomicDelete(ctx context.Context, key string, previous *store.KVPair) (bool, error) {
	return s.base.AtomicDelete(ctx, key, previous, func() error {
		_, err := s.swap(ctx, key, nil, previous)
		return err
	})
}

// swap writes data, which is nil to delete the key, if the node's version is
// that of previous, and returns the new index.
func (s *Store) swap(ctx context.Context, key string, data []byte, previous *store.KVPair) (uint64, error) {
	if previous.LastIndex == 0 || previous.LastIndex > math.MaxUint32 {
		// No node has such a version; and to ZooKeeper -1 means any version.
		return 0, store.ErrKeyModified
	}
	stat, err := call(ctx, s, s.limits.Write, func() (*zk.Stat, error) {
		return s.conn.Set(nodeOf(key), data, int32(uint32(previous.LastIndex-1)))
	})
	switch {
	case errors.Is(err, zk.ErrNoNode):
		return 0, store.ErrKeyNotFound
	case errors.Is(err, zk.ErrBadVersion):
		return 0, store.ErrKeyModified
	}
	return indexOf(stat), err
}

// create creates a key: a node, or the data of a node without data.
func (s *Store) create(ctx context.Context, node string, value []byte) (*zk.Stat, error) {
	for {
		err := s.createNode(ctx, node, value)
		if err == nil {
			return new(zk.Stat), nil
		}
		if !errors.Is(err, zk.ErrNodeExists) {
			return nil, err
		}
		data, stat, err := s.conn.Get(node)
		if err == nil && data != nil {
			return nil, store.ErrKeyExists
		}
		if err == nil {
			stat, err = s.conn.Set(node, value, stat.Version)
		}
		switch {
		case errors.Is(err, zk.ErrBadVersion):
			// Only another call that creates the key changes a node without data.
			return nil, store.ErrKeyExists
		case errors.Is(err, zk.ErrNoNode):
			continue // another program has deleted it
		}
		return stat, err
	}
}

// createNode creates a node, and its parents, without data, where they are
// missing.
func (s *Store) createNode(ctx context.Context, node string, data []byte) error {
	for {
		if err := ctx.Err(); err != nil {
			return err // the caller has gone
		}
		_, err := s.conn.Create(node, data, 0, s.nodeACL())
		if !errors.Is(err, zk.ErrNoNode) {
			return err
		}
		// From the bottom up: a login that may not create nodes at the top may create
		// them further down.
		err = s.createNode(ctx, parentOf(node), nil)
		if err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return err
		}
	}
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

// pairOf returns the pair of a node's data and stat. A node without data, which ZooKeeper
// distinguishes from empty data, holds no key.
func pairOf(key string, data []byte, stat *zk.Stat) *store.KVPair {
	if data == nil {
		return &store.KVPair{Key: key}
	}
	return &store.KVPair{Key: key, Value: data, LastIndex: indexOf(stat)}
}

// indexOf returns the index of a node's stat, 0 for none.
func indexOf(stat *zk.Stat) uint64 {
	if stat == nil {
		return 0
	}
	return uint64(uint32(stat.Version)) + 1
}
