package leadership

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
)

// errWorkExited is what work that calls runtime.Goexit is taken to return.
var errWorkExited = errors.New("leadership: the work ended its goroutine without returning")

// outcome is how work has ended.
type outcome struct {
	err      error
	panicked *PanicError
}

// begin begins the term of a claim that is known to stand, unless it has run
// out meanwhile or is not wanted any more.
func (c *campaign) begin(rec election.Record, start clock.Instant) {
	if c.vacating || c.ending() || rec.Token <= c.over {
		return
	}
	l := newLease(c.ctx, c.opts.clock, rec, c.by.ttl-c.opts.margin-c.opts.grace, start, c.leaseEnded)
	if !l.standing() {
		// The store is too slow for the trust: not again at once.
		c.over = rec.Token
		c.resting = l.clock.Now().Mono + c.opts.backoff(1, c.opts.retry)
		return
	}
	c.lease, c.yield = l, 0
	c.by.lease.Store(l)
	if why := c.stopping.Load(); why != nil {
		l.end(*why)
		return
	}
	if c.stream != nil {
		c.stream.set(l)
	}
	for _, n := range c.listeners {
		n.began(l)
	}
	if c.work != nil {
		c.working, c.patience = true, 0
		go func() {
			did := outcome{err: errWorkExited}
			defer func() {
				if v := recover(); v != nil {
					did.panicked = &PanicError{v, debug.Stack()}
				}
				c.mu.Lock()
				c.worked = append(c.worked, did)
				c.mu.Unlock()
				c.nudge()
			}()
			did.err = c.work(l.ctx, l.term.clone())
		}()
	}
	c.logger().Info("leading", "node", c.by.node, "token", rec.Token)
}

// stepDown ends the term where it is to be given up by choice.
func (c *campaign) stepDown(now clock.Instant) {
	l := c.lease
	if l == nil || l.over() {
		return
	}
	switch {
	case c.health.ill():
		l.end(ErrUnhealthy)
	case c.opts.schedule.due(l.began, now) <= 0:
		l.end(ErrRelinquished)
	}
}

// leaseEnded wakes those who have to know. Safe for concurrent use.
func (c *campaign) leaseEnded() {
	c.nudge()
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
	if !l.over() {
		return
	}
	if c.working {
		c.complain(l, now)
		return
	}
	why := context.Cause(l.ctx)
	c.logger().Info("no longer leading", "node", c.by.node, "token", l.term.Token, "reason", why)
	c.lease = nil
	c.by.lease.CompareAndSwap(l, nil)
	if c.stream != nil {
		c.stream.set(nil)
	}
	for _, n := range c.listeners {
		n.ended(l, why)
	}
	c.over, c.reason = max(c.over, l.term.Token), election.Expired
	if !errors.Is(why, ErrLost) {
		c.giveUp(why)
	}
}

// giveUp has the record of ours given up, and the seat left to others for a while.
func (c *campaign) giveUp(why error) {
	c.vacating, c.reason = true, reasonOf(why)
	c.yield = c.opts.pollAfter(c.opts.retry)
}

// complain reports, less and less often, that the work goes on although its
// term is over.
func (c *campaign) complain(l *lease, now time.Duration) {
	if c.patience == 0 {
		c.overSince, c.patience = now, c.opts.retry
	}
	late := now - c.overSince
	if late < c.patience {
		return
	}
	c.patience *= 2
	c.report(fmt.Errorf("leadership: key %q: %s has not returned %v after the end of term %d (%w): the seat is kept until its record expires",
		c.key, c.workName(), clock.Rounded(late), l.term.Token, context.Cause(l.ctx)))
}

// workName is what people know the work by.
func (c *campaign) workName() string {
	if c.opts.workName != "" {
		return c.opts.workName
	}
	// The name of a method's value has a suffix of its own.
	return strings.TrimSuffix(runtime.FuncForPC(reflect.ValueOf(c.culprit).Pointer()).Name(), "-fm")
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
	err := worked[0].err
	if c.panicked = worked[0].panicked; c.panicked != nil {
		c.err = c.panicked
	}
	// That the term was over is no failure of the work.
	if c.err == nil && err != nil && !(l.over() && (errors.Is(err, l.ctx.Err()) || errors.Is(err, context.Cause(l.ctx)))) {
		c.err = err
	}
	if !l.over() {
		// Were the next claim allowed as soon as somebody else has led, nodes
		// whose work is short would elect each other as fast as the store can.
		c.resting = now + c.opts.pollAfter(c.opts.retry)
	}
	l.end(ErrResigned)
}
