package leadership

import (
	"context"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
)

// attach gives the campaign a stream to serve instead of its present one, and
// a context to obey instead of that one's. It returns false if the campaign is
// about to end, or has. Safe for concurrent use.
func (c *campaign) attach(ctx context.Context, s *electionStream) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || c.stopping.Load() != nil || c.detach != nil && !c.detach() {
		return false
	}
	c.obey(ctx)
	if s != nil {
		c.attached = append(c.attached, s)
		c.nudge()
	}
	return true
}

// running says whether the campaign goes on. Safe for concurrent use.
func (c *campaign) running() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.ended && c.stopping.Load() == nil
}

// obey ends the campaign when ctx ends. It is called with mu held.
func (c *campaign) obey(ctx context.Context) {
	c.detach = context.AfterFunc(ctx, func() { c.stop(context.Cause(ctx)) })
}

// handOver serves the stream that was attached last.
func (c *campaign) handOver() {
	c.mu.Lock()
	streams := c.attached
	c.attached = nil
	if len(streams) > 0 {
		if c.stream != nil {
			streams = append([]*electionStream{c.stream}, streams...)
		}
		c.stream = streams[len(streams)-1]
	}
	c.mu.Unlock()
	if len(streams) == 0 {
		return
	}
	for _, s := range streams[:len(streams)-1] {
		s.set(nil)
		s.end(nil)
	}
	c.stream.set(c.lease)
}

// endStreams closes the channels. No stream can be attached afterwards.
func (c *campaign) endStreams() {
	c.mu.Lock()
	c.ended = true
	streams := c.attached
	c.attached = nil
	if c.stream != nil {
		streams = append(streams, c.stream)
	}
	detach := c.detach
	c.mu.Unlock()
	detach()
	for _, s := range streams {
		s.end(c.err)
	}
}

// enter begins the campaign once the one before it has ended, and says whether it
// has. Its channels do not wait for that to be closed.
func (c *campaign) enter() bool {
	if c.previous != nil {
		select {
		case <-c.previous.done:
			c.previous = nil
		default:
			c.handOver()
			if c.ending() {
				c.dismiss()
				c.endStreams()
				<-c.previous.done
				c.last()
				close(c.done)
			}
			return false
		}
	}
	start := c.opts.clock.Now().Mono
	c.open(c.ctx, start, func() time.Duration { return c.opts.retry })
	c.resting, c.enlisting, c.endBy, c.health.next, c.reason = start, never, never, start, election.Resigned
	return true
}

// dismiss tells the listeners how it ends, and waits for the callbacks.
func (c *campaign) dismiss() {
	for _, n := range c.listeners {
		if c.err != nil {
			n.failed(c.err)
		}
		n.close()
	}
	<-c.heard
}

// announce tells the listeners who leads, where that has changed.
func (c *campaign) announce(now time.Duration) {
	if c.sight.Known {
		c.informed.Store(true)
	}
	if len(c.listeners) == 0 || !c.sight.Known {
		return
	}
	var t Term
	switch l := c.lease; {
	case l != nil && l.over():
		return // it keeps the seat while its record stands
	case l != nil:
		t = l.term
	case c.sight.mine(): // it is about to be given up
		t.Last = Ending{c.by.node, c.sight.Rec.Token, string(c.reason)}
	case !c.sight.mine() && c.sight.stands(now):
		t = termOf(c.sight.Rec)
	default:
		t.Last = endingOf(c.sight.Rec.Ended())
	}
	if t.same(c.leader) {
		return
	}
	c.leader = t
	for _, n := range c.listeners {
		n.leads(t.clone())
	}
}

// problem logs err and tells whoever listens.
func (c *campaign) problem(err error) {
	c.warn("election", err, "node", c.by.node)
	if c.stream != nil {
		c.stream.report(err)
	}
	for _, n := range c.listeners {
		n.failed(err)
	}
}
