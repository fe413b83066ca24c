package base

import (
	"context"
	"strings"
	"sync"

	"github.com/seed-a1d591d3/leadership/store"
)

// mostChanged is how many keys Changes keeps for a slow reader. Beyond it the reader is told
// that any key may have changed.
const mostChanged = 1 << 14

// Changes are the hints of store.HintsBelow that have not been read yet. Make them with
// NewChanges. All methods are safe for concurrent use.
type Changes struct {
	directory string
	standing  chan struct{} // closed by the first All
	stand     sync.Once
	more      chan struct{} // holds a token when there may be something to take

	mu    sync.Mutex
	all   bool
	pairs map[string]*store.KVPair
	queue []string // the keys of pairs, first come first served
}

// NewChanges returns the hints about keys below a directory: none.
func NewChanges(directory string) *Changes {
	return &Changes{
		directory: directory, standing: make(chan struct{}), more: make(chan struct{}, 1),
		pairs: make(map[string]*store.KVPair),
	}
}

// All hints that any key may have changed. The first time means that the watch stands. It
// does not block.
func (c *Changes) All() {
	c.mu.Lock()
	c.forget()
	c.stand.Do(func() { close(c.standing) })
	c.mu.Unlock()
	Wake(c.more)
}

// forget has one hint stand for all that there are. It is called with mu held.
func (c *Changes) forget() {
	c.all, c.queue = true, nil
	clear(c.pairs)
}

// Tell hints that a key has changed, if it is one of those below the directory. pair is the
// reader's from now on. Before the first All, which stands for all that was before, it does
// nothing. It does not block.
func (c *Changes) Tell(pair *store.KVPair) {
	if len(pair.Key) <= len(c.directory) || !strings.HasPrefix(pair.Key, c.directory) {
		return
	}
	c.mu.Lock()
	select {
	case <-c.standing:
	default:
		c.mu.Unlock()
		return
	}
	if _, waits := c.pairs[pair.Key]; !waits {
		c.queue = append(c.queue, pair.Key)
	}
	c.pairs[pair.Key] = pair
	if len(c.pairs) > mostChanged {
		c.forget()
	}
	c.mu.Unlock()
	Wake(c.more)
}

// take returns the next hint, or nil.
func (c *Changes) take() *store.KVPair {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.all:
		c.all = false
		return new(store.KVPair)
	case len(c.queue) == 0:
		c.queue = nil
		return nil
	}
	key := c.queue[0]
	c.queue = c.queue[1:]
	pair := c.pairs[key]
	delete(c.pairs, key)
	return pair
}

// Deliver sends the hints until ctx ends, and closes the channel.
func (c *Changes) Deliver(ctx context.Context, hints chan<- *store.KVPair) {
	defer close(hints)
	for {
		pair := c.take()
		if pair == nil {
			select {
			case <-ctx.Done():
				return
			case <-c.more:
			}
			continue
		}
		select {
		case <-ctx.Done():
			return
		case hints <- pair:
		}
	}
}

// HintsBelow implements store.TreeHinter by follow, which passes the hints on to changes
// until ctx ends. It returns an error when it cannot go on.
func (s *Store) HintsBelow(ctx context.Context, directory string, follow func(ctx context.Context, changes *Changes) error) (<-chan *store.KVPair, error) {
	changes, hints, over := NewChanges(directory), make(chan *store.KVPair), make(chan error, 1)
	err := s.check(ctx, "directory", directory)
	if err == nil {
		err = s.Go(ctx, func(ctx context.Context) {
			ctx, cancel := context.WithCancel(ctx)
			delivered := make(chan struct{})
			go func() {
				defer close(delivered)
				changes.Deliver(ctx, hints)
			}()
			over <- follow(ctx, changes)
			cancel()
			<-delivered
		})
	}
	if err == nil {
		select {
		case <-changes.standing:
			return hints, nil
		case <-ctx.Done():
			err = ctx.Err()
		case err = <-over:
			if err == nil {
				err = store.ErrClosed
			}
		}
	}
	return nil, s.Failed(ctx, "hints below", directory, err)
}
