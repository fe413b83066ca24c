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

// ears receive messages about changes, on one connection for all watches of a Store. A
// message is a hint to read the key.
type ears struct {
	wire sync.Mutex // held while channels are subscribed and unsubscribed

	mu     sync.Mutex
	topics map[string][]chan struct{} // by the channel of Redis
	sub    *goredis.PubSub            // nil while there is none
	stop   context.CancelFunc         // ends listen; nil while there are no watches
}

// hearOf returns a channel that holds a token when there may have been a change on topic.
// Call forget at the end.
func (s *Store) hearOf(ctx context.Context, topic string) chan struct{} {
	e := &s.ears
	changed := make(chan struct{}, 1)
	e.mu.Lock()
	if e.topics == nil {
		e.topics = make(map[string][]chan struct{})
	}
	e.topics[topic] = append(e.topics[topic], changed)
	first := len(e.topics[topic]) == 1
	if e.stop == nil {
		listening, stop := context.WithCancel(context.WithoutCancel(ctx))
		e.stop = stop
		// A closed Store does not listen, but has no watches either.
		_ = s.base.Go(listening, s.listen)
	}
	e.mu.Unlock()
	if first {
		e.agree(ctx, topic)
	}
	return changed
}

func (s *Store) forget(topic string, changed chan struct{}) {
	e := &s.ears
	e.mu.Lock()
	e.topics[topic] = slices.DeleteFunc(e.topics[topic], func(c chan struct{}) bool { return c == changed })
	last := len(e.topics[topic]) == 0
	if last {
		delete(e.topics, topic)
	}
	if len(e.topics) == 0 {
		e.stop()
		e.stop, e.sub = nil, nil
	}
	e.mu.Unlock()
	if last {
		e.agree(context.Background(), topic)
	}
}

// agree subscribes to topic, or unsubscribes from it, depending on whether there are
// watches of it now. If that fails the subscription breaks, and listen makes a new one.
func (e *ears) agree(ctx context.Context, topic string) {
	e.wire.Lock()
	defer e.wire.Unlock()
	e.mu.Lock()
	sub, wanted := e.sub, len(e.topics[topic]) > 0
	e.mu.Unlock()
	switch {
	case sub == nil: // it will be made with all topics
	case wanted:
		_ = sub.Subscribe(ctx, topic)
	default:
		_ = sub.Unsubscribe(ctx, topic)
	}
}

// tell makes the watches of topic read their key.
func (e *ears) tell(topic string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, changed := range e.topics[topic] {
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
	e := &s.ears
	sub := s.client.Subscribe(ctx) // sends nothing yet
	defer sub.Close()
	// The client does not end a read when the context ends.
	stop := context.AfterFunc(ctx, func() { sub.Close() })
	defer stop()

	e.wire.Lock()
	e.mu.Lock()
	var topics []string
	for topic := range e.topics {
		topics = append(topics, topic)
	}
	if ctx.Err() == nil {
		e.sub = sub
	}
	e.mu.Unlock()
	var err error
	if len(topics) > 0 {
		err = sub.Subscribe(ctx, topics...)
	}
	e.wire.Unlock()
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.sub == sub {
			e.sub = nil
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
			switch m := message.(type) {
			case *goredis.Message:
				e.tell(m.Channel)
			case *goredis.Subscription:
				// Also when the client has subscribed again by itself.
				e.tell(m.Channel)
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
