package leadership

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
)

// errHanging means that a check has not returned in time.
var errHanging = errors.New("the check has not returned")

// health is what a campaign knows of its own health, where that is checked. Only its
// steps touch it.
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

// well reports whether the candidate may claim the seat.
func (h *health) well() bool { return h.passed && h.failed == 0 }

// ill reports whether a leader is to step down.
func (h *health) ill() bool { return h.failed >= h.failures }

// due returns when step is to be called next. h may be nil.
func (h *health) due() time.Duration {
	if h == nil {
		return clock.Never
	}
	return h.next
}

// end ends the context of a check that is under way. h may be nil.
func (h *health) end() {
	if h != nil && h.result != nil {
		h.cancel()
	}
}
