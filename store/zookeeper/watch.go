package zookeeper

import (
	"context"
	"errors"
	"maps"
	"math"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

// lookEvery is how often a watch reads its key without an event, because a client may
// lose a watch: when go-zookeeper reconnects and gets an answer before it has set its
// watches again, it tells the server that it has seen changes that it has not.
const lookEvery = time.Second

// hintInterval is that of Hints.
const hintInterval = time.Minute

// Watch returns a channel that carries the current state of key first, and then
// its changes. A key that is missing or deleted is a pair with a nil Value and
// LastIndex 0. A reader that falls behind gets the latest state in place of all
// that it missed.
//
// It survives lost connections and sessions. The channel is closed when ctx has ended,
// when the store or the client was closed, and when the node may not be read. opts are
// ignored, and may be nil.
func (s *Store) Watch(ctx context.Context, key string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
	return s.base.Watch(ctx, key, s.follower(lookEvery))
}

// Hints is Watch, but a change whose event the client has lost shows only after
// a minute.
func (s *Store) Hints(ctx context.Context, key string) (<-chan *store.KVPair, error) {
	return s.base.Watch(ctx, key, s.follower(hintInterval))
}

func (s *Store) follower(every time.Duration) base.Follow {
	return func(ctx context.Context, key string, tell func(*store.KVPair)) { s.follow(ctx, key, tell, every) }
}

// view is the result of one read of a node.
type view struct {
	data    []byte
	stat    *zk.Stat        // zero if there is no node
	changed <-chan zk.Event // the watch that was set at the time
}

// follow passes the states of key to tell until ctx ends or the watch is lost. It reads key
// that often without an event.
func (s *Store) follow(ctx context.Context, key string, tell func(*store.KVPair), every time.Duration) {
	node := nodeOf(key)
	var last view
	for {
		now, err := call(ctx, s, s.limits.Read, func() (view, error) { return s.look(node) })
		switch {
		case ctx.Err() != nil:
			return
		case final(err):
			return
		case err != nil:
			closed := s.conn.State() == zk.StateDisconnected
			if pause(ctx) != nil || closed && s.conn.State() == zk.StateDisconnected {
				return
			}
			continue
		}
		// A client that still has this watch would get its event before an answer with
		// the change.
		if now.changed == last.changed && now.stat.Mzxid != last.stat.Mzxid && !fired(now.changed) {
			s.disarm(node, now.changed)
			continue
		}
		last = now
		tell(pairOf(key, now.data, now.stat))
		select {
		case <-now.changed:
		case <-time.After(every):
		case <-ctx.Done():
			return
		}
	}
}

// final reports whether a read that failed would fail again: the client was closed, or
// may not read. All other errors are temporary, such as a connection that breaks during a
// write.
func final(err error) bool {
	return errors.Is(err, zk.ErrClosing) || errors.Is(err, zk.ErrNoAuth) || errors.Is(err, zk.ErrAuthFailed) || loginDemanded(err)
}

// look reads a node, and ensures that the client has a watch on it. The client cannot
// remove a watch, so all present and later watches of a node share one.
func (s *Store) look(node string) (view, error) {
	for {
		if changed := s.watch(node); changed != nil {
			data, stat, err := s.conn.Get(node)
			if errors.Is(err, zk.ErrNoNode) {
				return view{nil, new(zk.Stat), changed}, nil
			}
			return view{data, stat, changed}, err
		}
		data, stat, changed, err := s.conn.GetW(node)
		if err == nil {
			s.arm(node, changed)
			return view{data, stat, changed}, nil
		}
		if !errors.Is(err, zk.ErrNoNode) {
			return view{}, err
		}
		exists, _, changed, err := s.conn.ExistsW(node)
		if err != nil {
			return view{}, err
		}
		s.arm(node, changed)
		if !exists {
			return view{nil, new(zk.Stat), changed}, nil
		}
	}
}

// watch returns the watch that is set on a node, or nil.
func (s *Store) watch(node string) <-chan zk.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	if changed := s.armed[node]; changed != nil && !fired(changed) {
		return changed
	}
	return nil
}

func (s *Store) arm(node string, changed <-chan zk.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.armed, func(_ string, changed <-chan zk.Event) bool { return fired(changed) })
	s.armed[node] = changed
}

func (s *Store) disarm(node string, changed <-chan zk.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.armed[node] == changed {
		delete(s.armed, node)
	}
}

// fired reports whether a watch has fired. The client sends one event and closes the
// channel, so all readers notice.
func fired(changed <-chan zk.Event) bool {
	select {
	case <-changed:
		return true
	default:
		return false
	}
}

// MaxWatches returns how many watches elections may keep open at once. There is no limit,
// because they share the client's connection.
func (s *Store) MaxWatches() int { return math.MaxInt }
