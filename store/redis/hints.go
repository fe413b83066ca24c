package redis

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

// hints wakes watches. It receives messages about changes, on one connection for all
// watches of a Store. A message is a hint to read the key.
type hints struct {
	wire sync.Mutex // held while channels are subscribed and unsubscribed

	mu        sync.Mutex
	topics    map[topic][]*listener
	sub       *goredis.PubSub    // nil while there is none
	open      bool               // messages arrive
	confirmed map[topic]bool     // the patterns that sub is known to have
	stop      context.CancelFunc // ends listen; nil while there are no watches
}

// topic is a channel of Redis, or a pattern of channels.
type topic struct {
	name    string
	pattern bool
}

// listener is one watch of a topic. Its functions do not block.
type listener struct {
	changed func(channel string) // there may have been a change on the channel, or, if that is empty, on any
	refused func(err error)      // the user may not subscribe to the pattern
}

// join has l told of t. Call leave at the end.
func (s *Store) join(ctx context.Context, t topic, l *listener) {
	h := &s.hints
	h.mu.Lock()
	if h.topics == nil {
		h.topics = make(map[topic][]*listener)
	}
	h.topics[t] = append(h.topics[t], l)
	first := len(h.topics[t]) == 1
	confirmed := h.confirmed[t]
	if h.stop == nil {
		listening, stop := context.WithCancel(context.WithoutCancel(ctx))
		h.stop = stop
		// A closed Store does not listen, but has no watches either.
		_ = s.base.Go(listening, s.listen)
	}
	h.mu.Unlock()
	switch {
	case first:
		h.agree(ctx, t)
	case confirmed:
		l.changed("")
	}
}

func (s *Store) leave(topic topic, l *listener) {
	h := &s.hints
	h.mu.Lock()
	h.topics[topic] = slices.DeleteFunc(h.topics[topic], func(other *listener) bool { return other == l })
	last := len(h.topics[topic]) == 0
	if last {
		delete(h.topics, topic)
		delete(h.confirmed, topic)
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
func (h *hints) agree(ctx context.Context, topic topic) {
	h.wire.Lock()
	defer h.wire.Unlock()
	h.mu.Lock()
	sub, wanted := h.sub, len(h.topics[topic]) > 0
	h.mu.Unlock()
	switch {
	case sub == nil: // it will be made with all topics
	case wanted && topic.pattern:
		_ = sub.PSubscribe(ctx, topic.name)
	case wanted:
		_ = sub.Subscribe(ctx, topic.name)
	case topic.pattern:
		_ = sub.PUnsubscribe(ctx, topic.name)
	default:
		_ = sub.Unsubscribe(ctx, topic.name)
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
	for topic, watches := range h.topics {
		if !topic.pattern { // a directory is read when its pattern is subscribed again
			tell(watches, "")
		}
	}
}

// wake tells the watches of topic of a change on a channel, or that sub has subscribed to it.
func (h *hints) wake(sub *goredis.PubSub, topic topic, channel string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if topic.pattern && channel == "" && h.sub == sub {
		h.confirmed[topic] = true
	}
	tell(h.topics[topic], channel)
}

func tell(watches []*listener, channel string) {
	for _, l := range watches {
		l.changed(channel)
	}
}

// refuse tells the watches of the patterns that sub does not have that the user may not
// subscribe to them. It reports whether there are any.
func (h *hints) refuse(err error) (any bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if strings.Contains(err.Error(), "'subscribe'") {
		return false
	}
	for topic, watches := range h.topics {
		if !topic.pattern || h.confirmed[topic] {
			continue
		}
		for _, l := range watches {
			any = true
			l.refused(err)
		}
	}
	return any
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
	var channels, patterns []string
	for topic := range h.topics {
		if topic.pattern {
			patterns = append(patterns, topic.name)
		} else {
			channels = append(channels, topic.name)
		}
	}
	if ctx.Err() == nil {
		h.sub, h.confirmed = sub, make(map[topic]bool)
	}
	h.mu.Unlock()
	var err error
	if len(channels) > 0 {
		err = sub.Subscribe(ctx, channels...)
	}
	if len(patterns) > 0 && err == nil {
		err = sub.PSubscribe(ctx, patterns...)
	}
	h.wire.Unlock()
	defer func() {
		h.set(sub, false)
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.sub == sub {
			h.sub, h.confirmed = nil, nil
		}
	}()
	if err != nil || len(channels)+len(patterns) == 0 {
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
				by := topic{name: m.Channel}
				if m.Pattern != "" {
					by = topic{name: m.Pattern, pattern: true}
				}
				h.wake(sub, by, m.Channel)
			case *goredis.Subscription:
				// Also when the client has subscribed again by itself.
				if !strings.HasSuffix(m.Kind, "unsubscribe") {
					h.wake(sub, topic{name: m.Channel, pattern: m.Kind == "psubscribe"}, "")
				}
			}
		case errors.As(err, &timeout) && timeout.Timeout() && !asked:
			asked = true
			if err := sub.Ping(ctx); err != nil {
				return
			}
		case isDenied(err) && (strings.Contains(err.Error(), "unsubscribe") || h.refuse(err)):
			// Some messages are not wanted; or the watches of those patterns end. Others go on.
		default:
			return
		}
	}
}

// isDenied reports whether the server has refused a command because of missing rights.
func isDenied(err error) bool { return goredis.HasErrorPrefix(err, "NOPERM") }
