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

	ctx    context.Context
	cancel context.CancelFunc
	again  chan struct{}
	done   chan struct{}

	mu    sync.Mutex
	users []*Watch // never called after they have left
}

// tell passes on what the watch says.
func (s *shared) tell(pair *store.KVPair) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.users {
		w.hint(pair)
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

// run watches until ctx ends.
func (s *shared) run() {
	defer close(s.done)
	var rest <-chan (<-chan *store.KVPair)
	for s.ctx.Err() == nil {
		rest = s.once()
		pause := s.pause()
		select {
		case <-s.ctx.Done():
		case <-time.After(pause / 16):
			// Never opened again and again on top of itself.
		}
		select {
		case <-s.ctx.Done():
		case <-time.After(pause):
		case <-s.again:
		}
	}
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

// once opens a watch and follows it until it ends. When ctx has ended before, it
// returns where to get what has yet to be drained.
func (s *shared) once() <-chan (<-chan *store.KVPair) {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	opened := make(chan (<-chan *store.KVPair), 1)
	go func() {
		defer close(opened)
		if pairs, err := s.kv.Watch(ctx, s.key, &store.ReadOptions{Consistent: true}); err == nil && pairs != nil {
			opened <- pairs
		}
	}()

	// A watch that takes too long to open is given up, but not opened again
	// before that has come to an end.
	slow := time.AfterFunc(4*s.pause(), cancel)
	defer slow.Stop()
	var pairs <-chan *store.KVPair
	select {
	case pairs = <-opened:
		slow.Stop()
	case <-s.ctx.Done():
		return opened
	}
	for pairs != nil {
		select {
		case pair, ok := <-pairs:
			if !ok {
				return nil
			}
			s.tell(pair)
		case <-s.ctx.Done():
			rest := make(chan (<-chan *store.KVPair), 1)
			rest <- pairs
			return rest
		}
	}
	return nil
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
