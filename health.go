package leadership

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
)

// DefaultHealthFailures is after how many failures in a row a leader steps down.
const DefaultHealthFailures = 3

// WithHealthCheck has a candidate stand only while check returns nil: it does
// not claim the seat before the first check has passed, nor after one that
// failed, until one passes again; and a leader whose check has failed as often
// as WithHealthFailures says, in a row, steps down in order. Only the work of Run is
// waited for then.
//
// check is called at each interval of WithHealthInterval, in a goroutine of its
// own. Its context ends after one interval; a check that has not returned by
// then counts as failed, once for each interval that it goes on hanging, and is
// not called again before it has returned. The default, and nil, is no check. A
// follower ignores it.
func WithHealthCheck(check func(ctx context.Context) error) Option {
	return func(o *options) { o.health.probe = check }
}

// WithHealthInterval sets how often health is checked. It must be at least 1
// ms. The default is the retry interval.
func WithHealthInterval(d time.Duration) Option {
	return func(o *options) { o.health.every, o.health.everySet = d, true }
}

// WithHealthFailures sets after how many failed checks in a row a leader steps
// down. It must be at least 1; the default is DefaultHealthFailures.
func WithHealthFailures(n int) Option {
	return func(o *options) { o.health.failures, o.health.failuresSet = n, true }
}

type healthOptions struct {
	probe                 func(context.Context) error // nil: always healthy
	every                 time.Duration
	failures              int
	everySet, failuresSet bool
}

// check fills in the defaults and says what is wrong.
func (o *healthOptions) check(retry time.Duration) error {
	if !o.everySet {
		o.every = retry
	}
	if !o.failuresSet {
		o.failures = DefaultHealthFailures
	}
	switch {
	case o.every < time.Millisecond:
		return invalid("health interval", o.every, "must be at least 1ms")
	case o.failures < 1:
		return invalid("health failures", o.failures, "must be at least 1")
	}
	return nil
}

// errHanging says that a check has not returned in time.
var errHanging = errors.New("the check has not returned")

// health is what a campaign knows of its own health. Only its turns touch
// it.
type health struct {
	healthOptions
	passed bool          // a check has passed
	failed int           // checks failed in a row
	next   time.Duration // when the next is due, on the monotonic clock

	result chan error // of the check under way, or nil
	late   bool       // it has been judged already
	sick   outage
	cancel context.CancelFunc // ends its context
}

// step takes in the check that has returned, and begins another where one is
// due. It returns what went wrong, if something did just now. returned is
// called when a check returns; its context is made of ctx.
func (h *health) step(ctx context.Context, now time.Duration, returned func()) error {
	if h.probe == nil {
		return nil
	}
	if h.result != nil {
		select {
		case err := <-h.result:
			h.result = nil
			if !h.late {
				return h.judge(err)
			}
			h.next = now // what it says is of long ago
		default:
		}
	}
	if now < h.next {
		return nil
	}
	h.next = clock.Later(now, h.every)
	if h.result != nil {
		h.late = true
		h.cancel()
		return h.judge(errHanging)
	}
	result := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	h.result, h.late, h.cancel = result, false, cancel
	go func() {
		err := errHanging // what runtime.Goexit is taken to return
		defer func() {
			cancel()
			result <- err
			returned()
		}()
		err = h.probe(ctx)
	}()
	return nil
}

func (h *health) judge(err error) error {
	if err == nil {
		h.passed, h.failed = true, 0
		return nil
	}
	h.failed++
	return fmt.Errorf("health check failed, %d in a row: %w", h.failed, err)
}

// checkHealth goes on with the checks of health.
func (c *campaign) checkHealth(now time.Duration) {
	switch err := c.health.step(context.WithoutCancel(c.ctx), now, c.on.loop.Wake); {
	case err != nil:
		quiet := !c.health.sick.failed("check", now)
		c.on.told(quiet, c.health.sick.attrs(), fmt.Errorf("leadership: key %q: %w", c.on.key, err))
	case c.health.failed == 0:
		if after, tell := c.health.sick.answered("check", now); tell {
			c.on.logger().Warn("healthy again", "node", c.by.node, "after", clock.Rounded(after), "failures", c.health.sick.count)
		}
	}
	c.machine.Health(c.health.well(), c.health.ill())
}

// well says whether the candidate may claim the seat.
func (h *health) well() bool { return h.probe == nil || h.passed && h.failed == 0 }

// ill says whether a leader is to step down.
func (h *health) ill() bool { return h.probe != nil && h.failed >= h.failures }

// due returns when step is to be called next.
func (h *health) due() time.Duration {
	if h.probe == nil {
		return clock.Never
	}
	return h.next
}

// end ends the context of a check that is under way.
func (h *health) end() {
	if h.result != nil {
		h.cancel()
	}
}
