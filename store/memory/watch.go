package memory

import (
	"context"
	"math"
	"slices"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

var _ store.TreeHinter = (*Store)(nil)

// watch is one reader of one key's changes. The lock of its store covers it.
type watch struct {
	pairs chan *store.KVPair // holds the state that the reader has not taken yet, if any
	stop  func() bool        // stops waiting for the end of its context

	waiting, taken   bool   // a state was put into pairs; the reader has taken one
	wait, takenIndex uint64 // the index of each
}

// tell puts the present state of the key into the channel, in place of one that was not
// taken, unless the reader has it. It does not block, because it is the only sender.
func (w *watch) tell(pair *store.KVPair) {
	if w.waiting {
		select {
		case <-w.pairs:
		default:
			w.taken, w.takenIndex = true, w.wait
		}
	}
	w.waiting = !w.taken || w.takenIndex != pair.LastIndex
	if w.waiting {
		w.wait = pair.LastIndex
		w.pairs <- pair
	}
}

// end closes the channel.
func (w *watch) end() {
	w.stop()
	select {
	case <-w.pairs:
	default:
	}
	close(w.pairs)
}

// Watch returns a channel that carries the current state of key first, and then
// its changes. A key that is missing, deleted or expired is a pair with a nil
// Value and LastIndex 0.
//
// A reader that falls behind gets the latest state in place of all that it missed, and
// does not delay others. It never misses the last change. The same state is not sent
// twice in a row.
//
// The channel is closed soon after ctx has ended or the store was closed,
// whether anybody reads or not. opts are ignored, and may be nil.
func (s *Store) Watch(ctx context.Context, key string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usableFor(ctx, key); err != nil {
		return nil, failed("watch", key, err)
	}
	w := &watch{pairs: make(chan *store.KVPair, 1)}
	if s.watches == nil {
		s.watches = make(map[string][]*watch)
	}
	s.watches[key] = append(s.watches[key], w)
	w.stop = context.AfterFunc(ctx, func() { s.forget(key, w) })
	w.tell(s.state(key))
	return w.pairs, nil
}

// state returns the state of key for watches. The lock is held.
func (s *Store) state(key string) *store.KVPair {
	e, found := s.lookup(key)
	if !found {
		return &store.KVPair{Key: key}
	}
	return e.pair(key)
}

// tell notifies the watches of key. The lock is held.
func (s *Store) tell(key string) {
	for _, w := range s.watches[key] {
		w.tell(s.state(key))
	}
	for changes := range s.trees {
		changes.Tell(s.state(key))
	}
}

// HintsBelow implements store.TreeHinter. The end of a TTL is told as well.
func (s *Store) HintsBelow(ctx context.Context, directory string) (<-chan *store.KVPair, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return nil, failed("hints below", directory, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	changes, hints := base.NewChanges(directory), make(chan *store.KVPair)
	changes.All()
	if s.trees == nil {
		s.trees = make(map[*base.Changes]context.CancelFunc)
	}
	s.trees[changes] = cancel
	go func() {
		changes.Deliver(ctx, hints)
		cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.trees, changes)
	}()
	return hints, nil
}

func (s *Store) forget(key string, w *watch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.watches[key], w)
	if i < 0 {
		return // the store was closed
	}
	if s.watches[key] = slices.Delete(s.watches[key], i, i+1); len(s.watches[key]) == 0 {
		delete(s.watches, key)
	}
	w.end()
}

// MaxWatches returns how many watches elections may keep open at once. There is no limit,
// because they need no connection.
func (s *Store) MaxWatches() int { return math.MaxInt }
