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

	mu       sync.Mutex
	topics   map[topic][]*listener
	sub      *goredis.PubSub    // nil while there is none
	open     bool               // messages arrive
	patterns map[topic]bool     // those that sub was asked to subscribe to, and whether it has
	asked    []request          // of sub, that the server has not answered
	stop     context.CancelFunc // ends listen; nil while there are no watches
}

// request is a command that subscribes. Redis answers one after another, with an error for the
// whole of one, which does not tell which.
type request struct {
	pattern topic // or none, for channels
	answers int   // that are to come
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
	confirmed := h.patterns[t]
	if h.stop == nil {
		listening, stop := context.WithCancel(context.WithoutCancel(ctx))
		h.stop = stop
		// A closed Store does not listen, but has no watches either.
		_ = s.base.Go(listening, s.listen)
	}
	h.mu.Unlock()
	switch {
	case confirmed:
		l.changed("")
	case first || t.pattern:
		h.agree(ctx, t)
	}
}

func (s *Store) leave(topic topic, l *listener) {
	h := &s.hints
	h.mu.Lock()
	h.topics[topic] = slices.DeleteFunc(h.topics[topic], func(other *listener) bool { return other == l })
	last := len(h.topics[topic]) == 0
	if last {
		delete(h.topics, topic)
		delete(h.patterns, topic)
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
	_, asked := h.patterns[topic]
	h.mu.Unlock()
	switch {
	case sub == nil, wanted && asked: // it will be made with all topics, or is
	case wanted && topic.pattern:
		_ = h.subscribe(ctx, sub, nil, topic)
	case wanted:
		_ = h.subscribe(ctx, sub, []string{topic.name})
	case topic.pattern:
		_ = sub.PUnsubscribe(ctx, topic.name)
	default:
		_ = sub.Unsubscribe(ctx, topic.name)
	}
}

// subscribe has sub subscribe to channels and patterns. The caller holds wire.
func (h *hints) subscribe(ctx context.Context, sub *goredis.PubSub, channels []string, patterns ...topic) error {
	if len(channels) > 0 {
		h.ask(request{answers: len(channels)})
		if err := sub.Subscribe(ctx, channels...); err != nil {
			return err
		}
	}
	for _, pattern := range patterns {
		h.ask(request{pattern, 1})
		if err := sub.PSubscribe(ctx, pattern.name); err != nil {
			return err
		}
	}
	return nil
}

func (h *hints) ask(r request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, r)
	if r.pattern.pattern && h.patterns != nil {
		h.patterns[r.pattern] = false
	}
}

// hears reports whether messages arrive for topic, a pattern.
func (h *hints) hears(topic topic) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open && h.patterns[topic]
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

// wake tells the watches of topic of a change on a channel.
func (h *hints) wake(topic topic, channel string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	tell(h.topics[topic], channel)
}

// subscribed tells the watches of topic that sub has subscribed to it.
func (h *hints) subscribed(sub *goredis.PubSub, by topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sub == sub {
		var pattern topic
		if by.pattern {
			pattern = by
			if len(h.topics[by]) > 0 { // otherwise it was left meanwhile
				h.patterns[by] = true
			}
		}
		i := slices.IndexFunc(h.asked, func(r request) bool { return r.pattern == pattern })
		if i >= 0 { // otherwise the client has done it by itself
			if h.asked[i].answers--; h.asked[i].answers == 0 {
				h.asked = slices.Delete(h.asked, i, i+1)
			}
		}
	}
	tell(h.topics[by], "")
}

func tell(watches []*listener, channel string) {
	for _, l := range watches {
		l.changed(channel)
	}
}

// refuse tells the watches of the pattern that was asked for next that the user has no right to
// it. It reports false if that is no pattern.
func (h *hints) refuse(sub *goredis.PubSub, err error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sub != sub || len(h.asked) == 0 || !h.asked[0].pattern.pattern {
		return false
	}
	pattern := h.asked[0].pattern
	h.asked = h.asked[1:]
	delete(h.patterns, pattern)
	for _, l := range h.topics[pattern] {
		l.refused(err)
	}
	return true
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
	var channels []string
	var patterns []topic
	for topic := range h.topics {
		if topic.pattern {
			patterns = append(patterns, topic)
		} else {
			channels = append(channels, topic.name)
		}
	}
	err := ctx.Err()
	if err == nil {
		h.sub, h.patterns, h.asked = sub, make(map[topic]bool), nil
	}
	h.mu.Unlock()
	if err == nil {
		err = h.subscribe(ctx, sub, channels, patterns...)
	}
	h.wire.Unlock()
	defer func() {
		h.set(sub, false)
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.sub == sub {
			h.sub, h.patterns, h.asked = nil, nil, nil
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
				h.wake(by, m.Channel)
			case *goredis.Subscription:
				// Also when the client has subscribed again by itself.
				if !strings.HasSuffix(m.Kind, "unsubscribe") {
					h.subscribed(sub, topic{name: m.Channel, pattern: m.Kind == "psubscribe"})
				}
			}
		case errors.As(err, &timeout) && timeout.Timeout() && !asked:
			asked = true
			if err := sub.Ping(ctx); err != nil {
				return
			}
		case isDenied(err) && (strings.Contains(err.Error(), "unsubscribe") || h.refuse(sub, err)):
			// Some messages are not wanted; or the watches of that pattern end. Others go on.
		default:
			return
		}
	}
}

// isDenied reports whether the server has refused a command because of missing rights.
func isDenied(err error) bool { return goredis.HasErrorPrefix(err, "NOPERM") }
