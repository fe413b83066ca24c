package redis

import (
	"context"
	"errors"
	"math"
	"net"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/watching"
)

const (
	// lookTimeout bounds one look of a watch at its key.
	lookTimeout = 5 * time.Second

	// retryAfter is the longest pause after a look that failed.
	retryAfter = time.Second

	// resubscribeAfter is the pause after a subscription has broken.
	resubscribeAfter = 100 * time.Millisecond
)

// Watch returns a channel that carries the current state of key first, and then
// its changes. A key that is missing, deleted or expired is a pair with a nil
// Value and LastIndex 0.
//
// A reader that falls behind gets the latest state in place of all that it
// missed, and holds up nobody. It never misses the last change. The same state is
// not sent twice in a row. Writes of a Store and expiry are told at once, those
// of other programs at the next poll (WithPoll). While no server answers nothing
// is told, and the watch goes on when one does.
//
// The channel is closed soon after ctx has ended or the store was closed,
// whether anybody reads or not. opts are ignored, and may be nil.
func (s *Store) Watch(ctx context.Context, key string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
	if key == "" {
		return nil, failed("watch", key, errors.New("the key is empty"))
	}
	pairs, err := watching.Run(ctx, &s.life, func(ctx context.Context, tell func(*store.KVPair)) {
		s.follow(ctx, key, tell)
	})
	if err != nil {
		return nil, failed("watch", key, err)
	}
	return pairs, nil
}

// follow looks at key whenever it may have changed. Each look is at the whole
// state, so that one after the last change is all it takes: one follows every
// subscription.
func (s *Store) follow(ctx context.Context, key string, tell func(*store.KVPair)) {
	changed := make(chan struct{}, 1)
	var listening sync.WaitGroup
	listening.Go(func() { s.listen(ctx, channel(key), changed) })
	defer listening.Wait()

	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(s.look(ctx, key, tell))
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-timer.C:
		}
	}
}

// look tells the state of key, and returns when to look again.
func (s *Store) look(ctx context.Context, key string, tell func(*store.KVPair)) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	type state struct {
		pair *store.KVPair
		left time.Duration
	}
	now, err := call(ctx, s, key, func() (state, error) {
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
			return min(now.left+time.Millisecond, s.poll)
		}
	default:
		return min(s.poll, retryAfter)
	}
	return s.poll
}

// listen puts a token into changed whenever something may have changed on
// channel, until ctx ends.
func (s *Store) listen(ctx context.Context, channel string, changed chan<- struct{}) {
	for {
		s.subscribe(ctx, channel, changed)
		select {
		case <-ctx.Done():
			return
		case <-time.After(resubscribeAfter):
		}
	}
}

// subscribe listens until the subscription breaks or ctx ends. When it has been
// silent for some time it is asked for a sign of life, and given up when none
// comes: its connection may lead to a server that is gone.
func (s *Store) subscribe(ctx context.Context, channel string, changed chan<- struct{}) {
	sub := s.client.Subscribe(ctx) // does nothing yet
	defer sub.Close()
	// The client does not end its read with the context.
	stop := context.AfterFunc(ctx, func() { sub.Close() })
	defer stop()
	if err := sub.Subscribe(ctx, channel); err != nil {
		return
	}
	asked := false
	for {
		message, err := sub.ReceiveTimeout(ctx, s.silence)
		var timeout net.Error
		switch {
		case err == nil:
			asked = false
			if _, pong := message.(*goredis.Pong); pong {
				continue
			}
			// A change, or the confirmation of a subscription: also of one
			// that the client has made anew.
			select {
			case changed <- struct{}{}:
			default: // it has been told, and has yet to look
			}
		case errors.As(err, &timeout) && timeout.Timeout() && !asked:
			asked = true
			if err := sub.Ping(ctx); err != nil {
				return
			}
		default:
			return
		}
	}
}

// MaxWatches returns how many watches elections may keep open at once: as many
// as there are, for they share one connection.
func (s *Store) MaxWatches() int { return math.MaxInt }
