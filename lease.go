package leadership

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
)

// lease is a term as its holder sees it. Whether it stands is computed from
// the clock at every question (S3): from the start of the attempt that last
// succeeded (S1), by the larger of monotonic and wall-clock time (S4). Once it
// was found to have run out, or was ended, it never stands again (S7).
type lease struct {
	record record
	term   Term
	trust  time.Duration // the TTL less the margin and the grace
	clock  clock.Clock
	began  clock.Instant // the start of the attempt that claimed it

	start atomic.Pointer[clock.Instant] // of the last successful attempt
	over  atomic.Bool

	// ctx ends when the lease does, with the reason as its cause.
	ctx    context.Context
	cancel context.CancelCauseFunc
	ended  func() // tells the campaign

	mu    sync.Mutex
	timer *time.Timer
}

// newLease begins a term whose claim was attempted at start. ended is called
// once, when the lease ends; it must not block.
func newLease(ctx context.Context, c clock.Clock, rec record, trust time.Duration, start clock.Instant, ended func()) *lease {
	l := &lease{record: rec, term: rec.term(), trust: trust, clock: c, began: start, ended: ended}
	l.ctx, l.cancel = context.WithCancelCause(context.WithValue(context.WithoutCancel(ctx), termKey{}, l))
	l.start.Store(&start)
	l.watch()
	return l
}

// standing says whether the lease can be trusted now.
func (l *lease) standing() bool { return l.left() > 0 }

// left returns how long the lease can still be trusted, 0 if it cannot.
func (l *lease) left() time.Duration {
	if l.over.Load() {
		return 0
	}
	for {
		// The clock is read last: whoever is paused before that reads a late
		// time with an early start, never the other way round.
		start := l.start.Load()
		if d := l.trust - l.clock.Now().Since(*start); d > 0 {
			return d
		}
		if l.start.Load() == start { // not renewed meanwhile
			l.end(ErrLost)
			return 0
		}
	}
}

// renewed extends the trust by a renewal that was attempted at start and
// succeeded. It says whether the lease stands.
func (l *lease) renewed(start clock.Instant) bool {
	if !l.standing() {
		return false
	}
	l.start.Store(&start)
	return l.standing()
}

// end ends the lease, for the first reason that is given.
func (l *lease) end(why error) {
	if !l.over.CompareAndSwap(false, true) {
		return
	}
	l.cancel(why)
	l.ended()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
}

// tardiness is by how much the watch of a lease may be late.
const tardiness = 100 * time.Microsecond

// watch ends the lease when its trust has run out, though nobody asks. It
// looks more often than that, for timers stand still on a suspended machine.
func (l *lease) watch() {
	for left := l.left(); left > 0; {
		l.arm(min(left, l.trust/8))
		// Whoever is paused between reading the clock and arming a timer arms
		// it too late.
		before := left
		if left = l.left(); before-left <= tardiness {
			return
		}
	}
}

// arm has watch called after d.
func (l *lease) arm(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
	if !l.over.Load() {
		l.timer = l.clock.AfterFunc(d, l.watch)
	}
}
