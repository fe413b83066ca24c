package watches

import (
	"context"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// Grace is how long the end of a store's watch is waited for.
const Grace = 100 * time.Millisecond

// shared is the watch of one key. It is kept open: one that fails, ends or says
// nothing costs time only.
type shared struct {
	pool      *pool
	kv        store.Store // as its first user has it
	key       string
	originKey any

	values context.Context // without an end
	again  chan struct{}
	left   chan struct{} // closed when the last user has left
	done   chan struct{} // made then, and closed when run has returned

	mu     sync.Mutex
	cancel context.CancelFunc // ends the store's watch; nil until there is one
	users  []*Watch           // never called after they have left
}

// tell passes on what the watch says.
func (s *shared) tell(pair *store.KVPair) {
	if pair != nil && len(pair.Value) == 0 {
		pair = nil
	}
	shown := &Shown{Pair: pair}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.users {
		w.hint(shown)
	}
}

// pause returns the shortest pause of all users, and Grace where the last has just
// left: no wait is for no time at all.
func (s *shared) pause() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.users) == 0 {
		return Grace
	}
	shortest := s.users[0].pause()
	for _, w := range s.users[1:] {
		shortest = min(shortest, w.pause())
	}
	return shortest
}

// run watches until the last user has left.
func (s *shared) run() {
	var rest <-chan (<-chan *store.KVPair)
	for !s.over() {
		rest = s.once()
		s.rest()
	}
	s.finish(rest)
	close(s.done)
}

// over reports whether the last user has left.
func (s *shared) over() bool {
	select {
	case <-s.left:
		return true
	default:
		return false
	}
}

// rest waits before a watch that has ended is opened again.
func (s *shared) rest() {
	pause := s.pause()
	select {
	case <-s.left:
	case <-time.After(pause / 16):
		// Never opened again and again on top of itself.
	}
	select {
	case <-s.left:
	case <-time.After(pause):
	case <-s.again:
	}
}

// finish waits for the end of the watch that has been left, if there is one, for Grace.
func (s *shared) finish(rest <-chan (<-chan *store.KVPair)) {
	if rest == nil {
		s.pool.release()
		return
	}
	// It holds its place, as it does its connection, until it has ended.
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		defer s.pool.release()
		drain(<-rest)
	}()
	grace := time.NewTimer(Grace)
	defer grace.Stop()
	select {
	case <-drained:
	case <-grace.C:
	}
}

// once opens a watch and follows it until it ends. When the last user has left before, it
// returns where to get what has yet to be drained. Thousands may wait in it: so what needs
// a large stack is done by other functions.
func (s *shared) once() <-chan (<-chan *store.KVPair) {
	opened := s.open()
	pairs, over := s.opened(opened)
	if over {
		return opened
	}
	for pairs != nil {
		select {
		case pair, ok := <-pairs:
			if !ok {
				pairs = nil
				break
			}
			s.tell(pair)
		case <-s.left:
			rest := make(chan (<-chan *store.KVPair), 1)
			rest <- pairs
			return rest
		}
	}
	s.cancel()
	return nil
}

// open begins to open a watch, and returns where it is to come from.
func (s *shared) open() <-chan (<-chan *store.KVPair) {
	// It is no child of another context, which would have to keep a list of its own.
	ctx, cancel := context.WithCancel(s.values)
	s.mu.Lock()
	s.cancel = cancel
	if len(s.users) == 0 {
		cancel()
	}
	s.mu.Unlock()
	opened := make(chan (<-chan *store.KVPair), 1)
	go func() {
		defer close(opened)
		if pairs, err := store.Hints(ctx, s.kv, s.key); err == nil && pairs != nil {
			opened <- pairs
		}
	}()
	return opened
}

// opened waits for a watch, nil for one that could not be opened. It reports whether the
// last user has left before.
func (s *shared) opened(opened <-chan (<-chan *store.KVPair)) (pairs <-chan *store.KVPair, over bool) {
	// A watch that takes too long to open is given up, but not opened again
	// before that has come to an end.
	slow := time.AfterFunc(4*s.pause(), s.cancel)
	defer slow.Stop()
	select {
	case pairs = <-opened:
		return pairs, false
	case <-s.left:
		return nil, true
	}
}

// drain reads until a channel is closed, for there are stores that otherwise
// block for ever in sending to it.
func drain(pairs <-chan *store.KVPair) {
	if pairs == nil {
		return
	}
	for range pairs { // what it says is not wanted any more
	}
}
