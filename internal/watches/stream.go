package watches

import (
	"context"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// Grace is how long the end of a store's watch is waited for.
const Grace = 100 * time.Millisecond

// stream is a watch of the store. It is kept open: one that fails, ends or says nothing
// costs time only.
type stream struct {
	pool *pool
	of   watched

	again chan struct{}
	left  chan struct{} // closed when nobody wants it any more
	done  chan struct{} // made then, and closed when run has returned

	mu     sync.Mutex
	cancel context.CancelFunc // ends the store's watch; nil until there is one
	over   bool               // left is closed
}

// watched is what a stream watches: a key, or a tree.
type watched interface {
	// watch opens a watch of the store.
	watch(ctx context.Context) (<-chan *store.KVPair, error)

	// tell takes what that carries.
	tell(by *stream, pair *store.KVPair)

	// pause returns how long to wait before a watch that has ended is opened again.
	pause() time.Duration

	// finish waits for what else runs for the watch, for Grace at most.
	finish()

	// values returns a context without an end.
	values() context.Context
}

func newStream(p *pool, of watched) *stream {
	return &stream{pool: p, of: of, again: make(chan struct{}, 1), left: make(chan struct{})}
}

// leave ends the stream. It returns a channel that is closed when it has ended.
func (s *stream) leave() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return s.done
	}
	s.over, s.done = true, make(chan struct{})
	close(s.left)
	if s.cancel != nil {
		s.cancel()
	}
	return s.done
}

// run watches until the stream is left.
func (s *stream) run() {
	var rest <-chan (<-chan *store.KVPair)
	for !s.isLeft() {
		rest = s.once()
		s.rest()
	}
	s.finish(rest)
	s.of.finish()
	close(s.done)
}

// isLeft reports whether the stream was left.
func (s *stream) isLeft() bool {
	select {
	case <-s.left:
		return true
	default:
		return false
	}
}

// rest waits before a watch that has ended is opened again.
func (s *stream) rest() {
	pause := s.of.pause()
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
func (s *stream) finish(rest <-chan (<-chan *store.KVPair)) {
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
	within(Grace, drained)
}

// within waits for the end of what is done, for that long at most.
func within(limit time.Duration, done <-chan struct{}) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// once opens a watch and follows it until it ends. When the stream was left before, it
// returns where to get what has yet to be drained. Thousands may wait in it: so what needs
// a large stack is done by other functions.
func (s *stream) once() <-chan (<-chan *store.KVPair) {
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
			s.of.tell(s, pair)
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
func (s *stream) open() <-chan (<-chan *store.KVPair) {
	// It is no child of another context, which would have to keep a list of its own.
	ctx, cancel := context.WithCancel(s.of.values())
	s.mu.Lock()
	s.cancel = cancel
	if s.over {
		cancel()
	}
	s.mu.Unlock()
	opened := make(chan (<-chan *store.KVPair), 1)
	go func() {
		defer close(opened)
		if pairs, err := s.of.watch(ctx); err == nil && pairs != nil {
			opened <- pairs
		}
	}()
	return opened
}

// opened waits for a watch, nil for one that could not be opened. It reports whether the
// stream was left before.
func (s *stream) opened(opened <-chan (<-chan *store.KVPair)) (pairs <-chan *store.KVPair, over bool) {
	// A watch that takes too long to open is given up, but not opened again
	// before that has come to an end.
	slow := time.AfterFunc(4*s.of.pause(), s.cancel)
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
