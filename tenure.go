package leadership

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
)

// errWorkExited is what work that calls runtime.Goexit is taken to return.
var errWorkExited = errors.New("leadership: the work ended its goroutine without returning")

// begin begins the term of a claim that is known to stand, unless it has run
// out meanwhile or is not wanted any more.
func (c *campaign) begin(rec record, start clock.Instant) {
	if c.vacating || c.ending() || rec.Token <= c.over {
		return
	}
	l := newLease(c.ctx, c.opts.clock, rec, c.by.ttl-c.opts.margin, start, c.leaseEnded)
	if !l.standing() {
		// The store is too slow for the trust: not again at once.
		c.over = rec.Token
		c.resting = l.clock.Now().Mono + c.opts.backoff(1, c.opts.retry)
		return
	}
	c.lease = l
	c.by.lease.Store(l)
	if why := c.stopping.Load(); why != nil {
		l.end(*why)
		return
	}
	c.logger().Info("leading", "node", c.by.node, "token", rec.Token)
	if c.stream != nil {
		c.stream.set(l)
	}
	if c.work != nil {
		c.working = true
		term := l.term
		term.Payload = bytes.Clone(term.Payload)
		go func() {
			err := errWorkExited
			defer func() {
				c.mu.Lock()
				c.worked = append(c.worked, err)
				c.mu.Unlock()
				nudge(c.wake)
			}()
			err = c.work(l.ctx, term)
		}()
	}
}

// leaseEnded wakes those who have to know. Safe for concurrent use.
func (c *campaign) leaseEnded() {
	nudge(c.wake)
	c.mu.Lock()
	s := c.stream
	c.mu.Unlock()
	if s != nil {
		nudge(s.wake)
	}
}

// windUp ends a term that is over, once its work has returned (S8).
func (c *campaign) windUp(now time.Duration) {
	l := c.lease
	if l == nil {
		return
	}
	if c.working {
		c.workReturned(l, now)
	}
	if c.working || !l.over.Load() {
		return
	}
	why := context.Cause(l.ctx)
	c.logger().Info("no longer leading", "node", c.by.node, "token", l.term.Token, "reason", why)
	c.lease = nil
	c.by.lease.CompareAndSwap(l, nil)
	if c.stream != nil {
		c.stream.set(nil)
	}
	c.over = max(c.over, l.term.Token)
	if !errors.Is(why, ErrLost) {
		c.vacating = true
		c.heldBack = now + c.opts.pollAfter(c.opts.retry)
	}
}

// workReturned takes in what the work of a term has returned, if it has.
func (c *campaign) workReturned(l *lease, now time.Duration) {
	c.mu.Lock()
	worked := c.worked
	c.worked = nil
	c.mu.Unlock()
	if len(worked) == 0 {
		return
	}
	c.working = false
	err := worked[0]
	// That the term was over is no failure of the work.
	if err != nil && !(l.over.Load() && (errors.Is(err, l.ctx.Err()) || errors.Is(err, context.Cause(l.ctx)))) {
		c.err = err
	}
	if !l.over.Load() {
		// Were the next claim allowed as soon as somebody else has led, nodes
		// whose work is short would elect each other as fast as the store can.
		c.resting = now + c.opts.pollAfter(c.opts.retry)
	}
	l.end(ErrResigned)
}
