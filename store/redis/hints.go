package redis

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

// hints wakes watches. It receives messages about changes, on one connection for all
// watches of a Store. A message is a hint to read the key.
type hints struct {
	wire sync.Mutex // held while channels are subscribed and unsubscribed

	mu     sync.Mutex
	topics map[string][]chan struct{} // by the channel of Redis
	sub    *goredis.PubSub            // nil while there is none
	open   bool                       // messages arrive
	stop   context.CancelFunc         // ends listen; nil while there are no watches
}

// join returns a channel that holds a token when there may have been a change on topic.
// Call leave at the end.
func (s *Store) join(ctx context.Context, topic string) chan struct{} {
	h := &s.hints
	changed := make(chan struct{}, 1)
	h.mu.Lock()
	if h.topics == nil {
		h.topics = make(map[string][]chan struct{})
	}
	h.topics[topic] = append(h.topics[topic], changed)
	first := len(h.topics[topic]) == 1
	if h.stop == nil {
		listening, stop := context.WithCancel(context.WithoutCancel(ctx))
		h.stop = stop
		// A closed Store does not listen, but has no watches either.
		_ = s.base.Go(listening, s.listen)
	}
	h.mu.Unlock()
	if first {
		h.agree(ctx, topic)
	}
	return changed
}

func (s *Store) leave(topic string, changed chan struct{}) {
	h := &s.hints
	h.mu.Lock()
	h.topics[topic] = slices.DeleteFunc(h.topics[topic], func(c chan struct{}) bool { return c == changed })
	last := len(h.topics[topic]) == 0
	if last {
		delete(h.topics, topic)
	}
	if len(h.topics) == 0 {
		h.stop()
		h.stop, h.sub, h.open = nil, nil, false
	}
	h.mu.Unlock()
	if last {
		h.agree(context.Background(), topic)
	}
}

// agree subscribes to topic, or unsubscribes from it, depending on whether there are
// watches of it now. If that fails the subscription breaks, and listen makes a new one.
func (h *hints) agree(ctx context.Context, topic string) {
	h.wire.Lock()
	defer h.wire.Unlock()
	h.mu.Lock()
	sub, wanted := h.sub, len(h.topics[topic]) > 0
	h.mu.Unlock()
	switch {
	case sub == nil: // it will be made with all topics
	case wanted:
		_ = sub.Subscribe(ctx, topic)
	default:
		_ = sub.Unsubscribe(ctx, topic)
	}
}

// opened reports whether messages arrive.
func (h *hints) opened() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open
}

// set records whether messages arrive through sub. If they do no more, all watches read
// their keys, and do so regularly until there are messages again.
func (h *hints) set(sub *goredis.PubSub, open bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sub != sub || h.open == open {
		return
	}
	h.open = open
	if open {
		return // each subscription wakes its watches
	}
	for _, watches := range h.topics {
		for _, changed := range watches {
			base.Wake(changed)
		}
	}
}

// wake makes the watches of topic read their key.
func (h *hints) wake(topic string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, changed := range h.topics[topic] {
		base.Wake(changed)
	}
}

// listen receives messages until ctx ends.
func (s *Store) listen(ctx context.Context) {
	for ctx.Err() == nil {
		s.subscribe(ctx)
		_ = base.Sleep(ctx, resubscribeAfter)
	}
}

// subscribe receives messages until the subscription breaks or ctx ends. If there was
// none for some time it sends a ping, and gives up if there is no answer: the server may
// be gone.
func (s *Store) subscribe(ctx context.Context) {
	h := &s.hints
	sub := s.client.Subscribe(ctx) // sends nothing yet
	defer sub.Close()
	// The client does not end a read when the context ends.
	stop := context.AfterFunc(ctx, func() { sub.Close() })
	defer stop()

	h.wire.Lock()
	h.mu.Lock()
	var topics []string
	for topic := range h.topics {
		topics = append(topics, topic)
	}
	if ctx.Err() == nil {
		h.sub = sub
	}
	h.mu.Unlock()
	var err error
	if len(topics) > 0 {
		err = sub.Subscribe(ctx, topics...)
	}
	h.wire.Unlock()
	defer func() {
		h.set(sub, false)
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.sub == sub {
			h.sub = nil
		}
	}()
	if err != nil || len(topics) == 0 {
		return
	}
	asked := false
	for {
		message, err := sub.ReceiveTimeout(ctx, s.silence)
		var timeout net.Error
		switch {
		case err == nil:
			asked = false
			h.set(sub, true)
			switch m := message.(type) {
			case *goredis.Message:
				h.wake(m.Channel)
			case *goredis.Subscription:
				// Also when the client has subscribed again by itself.
				h.wake(m.Channel)
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
