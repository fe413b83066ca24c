package sqlite

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

// watches are the watches of a Store.
type watches struct {
	mu   sync.Mutex
	all  map[*watch]struct{}
	stop context.CancelFunc // ends lookOut; nil while there are no watches
}

// watch is one reader of one key's changes, or of those of a directory.
type watch struct {
	key     string
	changed chan struct{} // holds at most one token: read the key again
	below   *base.Changes // of a directory; nil for a key
	lost    context.CancelFunc
}

// wake tells of changes.
func (w *watch) wake(c changes) {
	switch {
	case w.below == nil && (c.more || slices.Contains(c.keys, w.key)):
		base.Wake(w.changed)
	case w.below == nil:
	case c.more:
		w.below.All()
	default:
		for _, key := range c.keys {
			w.below.Tell(&store.KVPair{Key: key})
		}
	}
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
// whether anybody reads or not, and when the file cannot be read. opts are
// ignored, and may be nil.
func (s *Store) Watch(ctx context.Context, key string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
	if err := s.base.CheckKey(ctx, key); err != nil {
		return nil, s.base.Failed(ctx, "watch", key, err)
	}
	if err := s.prepare(ctx); err != nil {
		return nil, s.base.Failed(ctx, "watch", key, err)
	}
	return s.base.Watch(ctx, key, s.follow)
}

var _ store.TreeHinter = (*Store)(nil)

// HintsBelow implements store.TreeHinter, by the one read of the file that is for all watches.
// It tells which keys to read, and after a delete that any may have changed.
func (s *Store) HintsBelow(ctx context.Context, directory string) (<-chan *store.KVPair, error) {
	return s.base.HintsBelow(ctx, directory, func(ctx context.Context, changes *base.Changes) error {
		if err := s.prepare(ctx); err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		w := &watch{below: changes, lost: cancel}
		if err := s.add(w); err != nil {
			return err
		}
		defer s.remove(w)
		changes.All()
		<-ctx.Done()
		return ctx.Err()
	})
}

// follow passes the states of key to tell until ctx ends or one cannot be read.
func (s *Store) follow(ctx context.Context, key string, tell func(*store.KVPair)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &watch{key: key, changed: make(chan struct{}, 1), lost: cancel}
	if err := s.add(w); err != nil {
		return
	}
	defer s.remove(w)
	for {
		e, err := s.read(ctx, key)
		if err != nil {
			return
		}
		var expiry <-chan time.Time
		if e == nil {
			tell(&store.KVPair{Key: key})
		} else {
			if e.expires.Valid {
				expiry = time.After(time.Until(time.UnixMilli(e.expires.Int64)))
			}
			tell(e.pair)
		}
		select {
		case <-ctx.Done():
			return
		case <-w.changed:
		case <-expiry:
		}
	}
}

// add registers a watch. Changes from then on wake it.
func (s *Store) add(w *watch) error {
	c := &s.change
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		if err := s.base.Go(ctx, s.lookOut); err != nil {
			cancel()
			return err
		}
		c.stop, c.all = cancel, make(map[*watch]struct{})
	}
	c.all[w] = struct{}{}
	return nil
}

func (s *Store) remove(w *watch) {
	c := &s.change
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.all[w]; !ok {
		return // lost
	}
	delete(c.all, w)
	if len(c.all) == 0 {
		c.stop()
		c.stop, c.all = nil, nil
	}
}

// wake tells all watches of changes.
func (s *Store) wake(c changes) {
	s.change.mu.Lock()
	defer s.change.mu.Unlock()
	for w := range s.change.all {
		w.wake(c)
	}
}

// quickest is how soon lookOut reads the table after a notification of a write. The write
// may not have ended yet, so lookOut reads again after twice the time, and so on.
const quickest = time.Millisecond

// lookOut wakes the watches when another connection has changed the table, until ctx
// ends.
func (s *Store) lookOut(ctx context.Context) {
	writes, stop := notify(s.path)
	defer stop()
	poll := s.poll
	if poll == 0 && writes != nil {
		poll = toldPollInterval
	} else if poll == 0 {
		poll = DefaultPollInterval
	}
	version := int64(math.MaxInt64) // none: the first look finds no rows, and wakes all
	wait := poll
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-writes:
			// Once only: otherwise it would never read the table.
			if wait > quickest {
				wait = quickest
				timer.Reset(wait)
			}
			continue
		case <-timer.C:
		}
		c, err := try(ctx, s, func(ctx context.Context, db database) (changes, error) { return since(ctx, db, version) })
		wait = min(2*wait, poll)
		switch {
		case ctx.Err() != nil:
			return
		case isLocked(err): // the next read will find it
		case err != nil:
			s.lose()
			return
		case c.version != version:
			s.wake(c)
			version, wait = c.version, quickest
		}
		timer.Reset(wait)
	}
}

// lose ends all watches, and lookOut, because the table cannot be read. A watch that
// begins before they have ended starts lookOut again.
func (s *Store) lose() {
	c := &s.change
	c.mu.Lock()
	defer c.mu.Unlock()
	for w := range c.all {
		w.lost()
	}
	if c.stop != nil {
		c.stop()
	}
	c.stop, c.all = nil, nil
}

// MaxWatches returns how many watches elections may keep open at once. There is no limit,
// because one read of the file is for all.
func (s *Store) MaxWatches() int { return math.MaxInt }
