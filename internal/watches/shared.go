package watches

import (
	"context"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// shared is a key and all who watch it. It has a watch of its own, or one with others, as one
// of a tree. The mu of the package guards it, but for what has one of its own.
type shared struct {
	pool      *pool
	kv        store.Store // as its first user has it
	key       string
	originKey any
	ctx       context.Context // for its values

	dir  *directory      // whose tree watches it, or nil
	gone <-chan struct{} // closed when a watch of its own that it has given up has ended, or nil

	due  due   // guarded by the mu of the tree
	told state // guarded by the mu of the tree: what the tree has told last, to all users

	mu    sync.Mutex
	own   *stream  // nil without a watch of its own; guarded by the mu of the package as well
	users []*Watch // never called after they have left
}

// watch implements watched.
func (s *shared) watch(ctx context.Context) (<-chan *store.KVPair, error) {
	return store.Hints(ctx, s.kv, s.key)
}

// tell passes on what a watch says. by is the stream of a watch of its own, or nil.
func (s *shared) tell(by *stream, pair *store.KVPair) {
	if pair != nil && len(pair.Value) == 0 {
		pair = nil
	}
	shown := &Shown{Pair: pair}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.own != by {
		return // it was given up
	}
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

func (s *shared) finish() {}

func (s *shared) values() context.Context { return s.ctx }

// setOwn gives the key a watch of its own, or none. The caller holds the mu of the package.
func (s *shared) setOwn(own *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.own = own
}

// wanted reports whether the key has users.
func (s *shared) wanted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.users) > 0
}
