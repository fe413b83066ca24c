package redis

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

const (
	// hintInterval is how often a watch of Hints reads its key while messages arrive.
	hintInterval = time.Hour

	// lookTimeout bounds one read of a key by a watch.
	lookTimeout = 5 * time.Second

	// retryAfter is the longest pause after a read that failed.
	retryAfter = time.Second

	// resubscribeAfter is the pause after a subscription has broken.
	resubscribeAfter = 100 * time.Millisecond
)

// Watch returns a channel that carries the current state of key first, and then
// its changes. A key that is missing, deleted or expired is a pair with a nil
// Value and LastIndex 0.
//
// A reader that falls behind gets the latest state in place of all that it missed, and
// does not delay others. It never misses the last change. The same state is not sent
// twice in a row. Writes of a Store and expiry are seen at once, those of other programs
// at the next poll (WithPoll). The watch carries nothing while no server answers, and
// goes on when one does.
//
// The channel is closed soon after ctx has ended or the store was closed,
// whether anybody reads or not. opts are ignored, and may be nil.
func (s *Store) Watch(ctx context.Context, key string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
	return s.base.Watch(ctx, key, s.follower(func() time.Duration { return s.poll }))
}

// Hints is Watch, but while messages arrive a write of another program may show only after
// an hour.
func (s *Store) Hints(ctx context.Context, key string) (<-chan *store.KVPair, error) {
	return s.base.Watch(ctx, key, s.follower(func() time.Duration {
		if s.hints.opened() {
			return max(s.poll, hintInterval)
		}
		return s.poll
	}))
}

var _ store.TreeHinter = (*Store)(nil)

// HintsBelow implements store.TreeHinter, by one pattern of the channels of the keys. It tells
// which keys to read. While messages do not arrive, it tells every second, or after WithPoll if
// that is longer, that any may have changed. A user without the right to subscribe to the
// pattern may have that to the pattern of a directory above, or of all keys: the messages of more
// keys arrive then.
func (s *Store) HintsBelow(ctx context.Context, directory string) (<-chan *store.KVPair, error) {
	return s.base.HintsBelow(ctx, directory, func(ctx context.Context, changes *base.Changes) error {
		for above := directory; ; above = above[:strings.LastIndex(strings.TrimSuffix(above, "/"), "/")+1] {
			denied := s.below(ctx, above, changes)
			if denied == nil {
				return ctx.Err()
			}
			if above == "" {
				return fmt.Errorf("%w: %w", store.ErrCallNotSupported, denied)
			}
		}
	})
}

// below passes the hints about all keys that begin with directory to changes, until ctx ends. It
// returns an error if the server denies that.
func (s *Store) below(ctx context.Context, directory string, changes *base.Changes) (denied error) {
	refused := make(chan error, 1)
	l := &listener{
		changed: func(from string) {
			if from == "" {
				changes.All()
			} else {
				changes.Tell(&store.KVPair{Key: strings.TrimPrefix(from, channel(""))})
			}
		},
		refused: func(err error) {
			select {
			case refused <- err:
			default:
			}
		},
	}
	topic := topic{name: literal.Replace(channel(directory)) + "*", pattern: true}
	s.join(ctx, topic, l)
	defer s.leave(topic, l)
	deaf := time.NewTicker(max(s.poll, time.Second))
	defer deaf.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case denied := <-refused:
			return denied
		case <-deaf.C:
			if !s.hints.hears(topic) {
				changes.All()
			}
		}
	}
}

// literal makes a pattern of Redis of a text.
var literal = strings.NewReplacer("*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`, `\`, `\\`)

func (s *Store) follower(interval func() time.Duration) base.Follow {
	return func(ctx context.Context, key string, tell func(*store.KVPair)) { s.follow(ctx, key, tell, interval) }
}

// follow reads key whenever it may have changed, and after that interval. Each read is of
// the whole state, so one after the last change is enough; each subscription causes one.
func (s *Store) follow(ctx context.Context, key string, tell func(*store.KVPair), interval func() time.Duration) {
	changed := make(chan struct{}, 1)
	topic, l := topic{name: channel(key)}, &listener{changed: func(string) { base.Wake(changed) }}
	s.join(ctx, topic, l)
	defer s.leave(topic, l)

	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(s.look(ctx, key, tell, interval))
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-timer.C:
		}
	}
}

// look passes the state of key to tell, and returns when to read again.
func (s *Store) look(ctx context.Context, key string, tell func(*store.KVPair), interval func() time.Duration) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	type state struct {
		pair *store.KVPair
		left time.Duration
	}
	now, err := reading(ctx, s, s.limits.Read, func() (state, error) {
		pair, left, err := s.read(ctx, key)
		return state{pair, left}, err
	})
	switch {
	case errors.Is(err, store.ErrKeyNotFound):
		tell(&store.KVPair{Key: key})
	case err == nil:
		tell(now.pair)
		if now.left >= 0 {
			// The server counts whole milliseconds.
			return min(now.left+time.Millisecond, interval())
		}
	default:
		return min(s.poll, retryAfter)
	}
	return interval()
}

// MaxWatches returns how many watches elections may keep open at once. There is no limit,
// because they share one connection.
func (s *Store) MaxWatches() int { return math.MaxInt }
