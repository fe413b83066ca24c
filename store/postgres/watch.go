package postgres

import (
	"context"
	"math"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

const (
	// hintInterval is how often a watch of Hints reads its key while notifications arrive.
	hintInterval = time.Hour

	// notifiedInterval is how often a watch reads its key while notifications arrive.
	notifiedInterval = time.Second

	// attemptTimeout bounds calls that have no caller: a broken connection may show only
	// after minutes.
	attemptTimeout = 5 * time.Second

	// Pauses after a failure, which grow.
	firstPause, longestPause = 20 * time.Millisecond, time.Second
)

// Watch returns a channel that carries the current state of key first, and then
// its changes. A key that is missing, deleted or expired is a pair with a nil
// Value and LastIndex 0.
//
// A reader that falls behind gets the latest state in place of all that it
// missed. It never misses the last change. The same state is not sent twice in
// a row.
//
// A watch survives the connection: it reads its key again as soon as there is a new one.
// The channel is closed soon after ctx has ended or the Store was closed, whether anybody
// reads or not, and when the server refuses to read the key, for example because of a
// missing right. opts are ignored, and may be nil.
func (s *Store) Watch(ctx context.Context, key string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
	return s.base.Watch(ctx, key, s.follower(notifiedInterval))
}

// Hints is Watch, but while notifications arrive the write of a program that notifies
// nobody may show only after an hour.
func (s *Store) Hints(ctx context.Context, key string) (<-chan *store.KVPair, error) {
	return s.base.Watch(ctx, key, s.follower(hintInterval))
}

var _ store.TreeHinter = (*Store)(nil)

// deafInterval is how often HintsBelow tells that any key may have changed while notifications
// do not arrive.
const deafInterval = time.Second

// HintsBelow implements store.TreeHinter, by the notifications that all watches share. It tells
// which keys to read. While notifications do not arrive, it tells every second, or after
// WithPollInterval if that is longer, that any may have changed.
func (s *Store) HintsBelow(ctx context.Context, directory string) (<-chan *store.KVPair, error) {
	return s.base.HintsBelow(ctx, directory, func(ctx context.Context, changes *base.Changes) error {
		s.joinAll(changes)
		defer s.leaveAll(changes)
		changes.All() // and once more when notifications arrive, if they do not yet
		deaf := time.NewTicker(max(s.poll, deafInterval))
		defer deaf.Stop()
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-deaf.C:
				if !s.hints.opened() {
					changes.All()
				}
			}
		}
	})
}

func (s *Store) follower(notified time.Duration) base.Follow {
	return func(ctx context.Context, key string, tell func(*store.KVPair)) { s.follow(ctx, key, tell, notified) }
}

// follow passes the states of key to tell. It reads key that often while notifications
// arrive.
func (s *Store) follow(ctx context.Context, key string, tell func(*store.KVPair), notified time.Duration) {
	changed := s.join(topic(key))
	defer s.leave(topic(key), changed)
	pause := firstPause
	for {
		attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
		pair, left, err := s.read(attempt, key, false)
		cancel()
		var wait time.Duration
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			pause, wait = firstPause, s.interval(notified)
			if left > 0 {
				wait = min(wait, left)
			}
			if pair == nil {
				pair = &store.KVPair{Key: key}
			}
			tell(pair)
		case broken(err) || code(err) == queryCanceled:
			wait, pause = pause, min(2*pause, longestPause)
		default:
			return
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// MaxWatches returns how many watches elections may keep open at once. There is no limit,
// because they share one connection.
func (s *Store) MaxWatches() int { return math.MaxInt }
