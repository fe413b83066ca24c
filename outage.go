package leadership

import (
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
)

const (
	// firstReminder and lastReminder are how soon, and how late, after a failure
	// that goes on was logged it is logged again; each wait is twice the one before.
	firstReminder, lastReminder = 5 * time.Second, 10 * time.Minute
)

// outage is a row of failures, for the log: it tells of the first, and of those that
// go on at growing intervals, and of their end. Times are readings of the monotonic
// clock.
type outage struct {
	failing bool
	told    bool          // the log has been told of it
	op      string        // that failed last
	since   time.Duration // the first failure
	latest  time.Duration // the last one
	count   int
	next    time.Duration // no word of another before this
	wait    time.Duration // before the one after that
}

// failed takes note of a failure. It reports whether the log is to be told.
func (o *outage) failed(op string, now time.Duration) bool {
	if o.failing && now-o.latest > lastReminder {
		o.failing = false
	}
	if !o.failing {
		if o.wait == 0 || now-o.latest > 2*o.wait {
			o.next, o.wait = now, firstReminder
		}
		o.failing, o.told, o.since, o.count = true, false, now, 0
	}
	o.op, o.latest = op, now
	o.count++
	if now < o.next {
		return false
	}
	o.told, o.next = true, now+o.wait
	o.wait = min(2*o.wait, lastReminder)
	return true
}

// attrs tells of failures that go on.
func (o *outage) attrs() []any {
	if o.count < 2 {
		return nil
	}
	return []any{"failing_for", clock.Rounded(o.latest - o.since), "failures", o.count}
}

// answered takes note of a success. What was failing is over if the same operation
// succeeds: a store that is read-only, for one, is read all the time. It returns for
// how long it was, and whether the log is to be told.
func (o *outage) answered(op string, now time.Duration) (time.Duration, bool) {
	if !o.failing || op != o.op && now-o.latest < firstReminder {
		return 0, false
	}
	o.failing = false
	return now - o.since, o.told
}
