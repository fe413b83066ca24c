package memory

import (
	"context"

	"github.com/seed-a1d591d3/leadership/store"
)

// watch is one reader of one key's changes.
type watch struct {
	changed chan struct{} // holds at most one token: look again
	cancel  context.CancelFunc
}

// Watch returns a channel that carries the current state of key first, and then
// its changes. A key that is missing, deleted or expired is a pair with a nil
// Value and LastIndex 0.
//
// A reader that falls behind gets the latest state in place of all that it
// missed, and holds up nobody. It never misses the last change. The same state
// is not sent twice in a row.
//
// The channel is closed soon after ctx has ended or the store was closed,
// whether anybody reads or not. opts are ignored, and may be nil.
func (s *Store) Watch(ctx context.Context, key string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usableFor(ctx, key); err != nil {
		return nil, failed("watch", key, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &watch{changed: make(chan struct{}, 1), cancel: cancel}
	if s.watches == nil {
		s.watches = make(map[string]map[*watch]struct{})
	}
	if s.watches[key] == nil {
		s.watches[key] = make(map[*watch]struct{})
	}
	s.watches[key][w] = struct{}{}

	pairs := make(chan *store.KVPair)
	go s.follow(ctx, key, w, pairs)
	return pairs, nil
}

// follow sends the states of key until ctx ends, always the latest.
func (s *Store) follow(ctx context.Context, key string, w *watch, pairs chan<- *store.KVPair) {
	defer close(pairs)
	defer s.forget(key, w)

	var (
		sent  bool
		last  uint64  // index of the state sent last
		out   = pairs // nil while there is nothing to send
		state = s.state(key)
		index = state.LastIndex // read before sending: then the pair is the reader's
	)
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.changed:
			state, out = s.state(key), pairs
			index = state.LastIndex
			if sent && index == last {
				out = nil // the reader has this state
			}
		case out <- state:
			sent, last, out = true, index, nil
		}
	}
}

func (s *Store) state(key string) *store.KVPair {
	s.mu.Lock()
	e, found := s.lookup(key)
	s.mu.Unlock()
	if !found {
		return &store.KVPair{Key: key}
	}
	return e.pair(key)
}

// tell wakes the watches of key. The lock is held.
func (s *Store) tell(key string) {
	for w := range s.watches[key] {
		select {
		case w.changed <- struct{}{}:
		default: // it has been told, and has yet to look
		}
	}
}

func (s *Store) forget(key string, w *watch) {
	w.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watches[key], w)
	if len(s.watches[key]) == 0 {
		delete(s.watches, key)
	}
}
