package zookeeper

import (
	"context"
	"errors"
	"maps"
	"math"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/seed-a1d591d3/leadership/store"
)

// lookEvery is how often a watch looks by itself. It need not, but for a client
// that loses a watch: go-zookeeper does when it reconnects, if it gets an answer
// before it has set its watches again. It then tells the server that it knows
// what it has not seen.
const lookEvery = time.Second

// Watch returns a channel that carries the current state of key first, and then
// its changes. A key that is missing or deleted is a pair with a nil Value and
// LastIndex 0. A reader that falls behind gets the latest state in place of all
// that it missed.
//
// It goes on through lost connections and sessions. The channel is closed when
// ctx has ended, when the store or the client was closed, and when the node may
// not be read. opts are ignored, and may be nil.
func (s *Store) Watch(ctx context.Context, key string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
	return s.base.Watch(ctx, key, s.follow)
}

// view is what one look at a node has found.
type view struct {
	data    []byte
	stat    *zk.Stat        // zero where there is no node
	changed <-chan zk.Event // the watch that was set when it was found
}

// follow tells the states of key until ctx ends or the watch is lost.
func (s *Store) follow(ctx context.Context, key string, tell func(*store.KVPair)) {
	node := nodeOf(key)
	var last view
	for {
		now, err := call(ctx, s, func() (view, error) { return s.look(node) })
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
		// A client that has this watch still knows of a change before it gets an
		// answer that has it.
		if now.changed == last.changed && now.stat.Mzxid != last.stat.Mzxid && !fired(now.changed) {
			s.disarm(node, now.changed)
			continue
		}
		last = now
		tell(pairOf(key, now.data, now.stat))
		select {
		case <-now.changed:
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return
		}
	}
}

// final tells whether a look that failed would fail again: the client was
// closed, or may not read. All else goes by, such as a connection that breaks
// while it is written to.
func final(err error) bool {
	return errors.Is(err, zk.ErrClosing) || errors.Is(err, zk.ErrNoAuth) || errors.Is(err, zk.ErrAuthFailed) || loginDemanded(err)
}

// look reads a node, and makes sure that the client has set a watch on it. The
// client cannot take one back, so all that watch a node share one, also with those
// who come later.
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

// fired says whether a watch has fired. The client sends one event and closes
// the channel, so that all who wait see it.
func fired(changed <-chan zk.Event) bool {
	select {
	case <-changed:
		return true
	default:
		return false
	}
}

// MaxWatches returns how many watches elections may keep open at once: as many
// as there are, for they share the client's connection.
func (s *Store) MaxWatches() int { return math.MaxInt }
