package leadership

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
)

// trust is what a write gives to its writer: for so long it may go by what it wrote.
// Whether it stands is computed from the clock at every question (S3): from the
// start of the attempt that last succeeded (S1), by the larger of monotonic and
// wall-clock time (S4). Once it was found to have run out, or was ended, it never
// stands again (S7).
type trust struct {
	length time.Duration
	clock  clock.Clock
	lapse  error // why it is over when it has run out

	start atomic.Pointer[clock.Instant] // of the last successful attempt
	why   atomic.Pointer[error]         // why it is over, nil while it is not known to be

	// ctx ends when the trust does, with why as its cause. It asks the trust; the
	// context inside is cancelled by whoever finds out first.
	ctx    context.Context
	inside context.Context
	cancel context.CancelCauseFunc
	ended  func() // called once, when it ends; it must not block
	around *trust // that ctx is within, or nil

	jumps *clock.Jumps

	mu    sync.Mutex
	timer *time.Timer
}

// begin begins a trust of that length, from start on, within outer. lapse is why it
// is over when it has run out.
func (t *trust) begin(outer context.Context, c clock.Clock, length time.Duration, start clock.Instant, lapse error, ended func()) {
	t.length, t.clock, t.lapse, t.ended = length, c, lapse, ended
	t.ctx = trustContext{t}
	t.around, _ = outer.Value(trustKey{}).(*trust)
	t.inside, t.cancel = context.WithCancelCause(outer)
	t.start.Store(&start)
	t.jumps = c.Jumps()
	t.jumps.Add(t)
	t.Look()
}

// standing reports whether the trust stands now.
func (t *trust) standing() bool { return t.left() > 0 }

// over reports whether the trust is known to be over. That it is not does not mean
// that it stands.
func (t *trust) over() bool { return t.why.Load() != nil }

// left returns for how long the trust still stands, 0 if it does not.
func (t *trust) left() time.Duration {
	if t.over() {
		return 0
	}
	for {
		// The clock is read last: a reader that is paused before that has a late
		// time with an early start, never the other way round.
		start := t.start.Load()
		if d := t.length - t.clock.Now().Since(*start); d > 0 {
			return d
		}
		if t.start.Load() == start { // not renewed meanwhile
			t.end(t.lapse)
			return 0
		}
	}
}

// renewed extends the trust by a renewal that was attempted at start and
// succeeded. It reports whether the trust stands.
func (t *trust) renewed(start clock.Instant) bool {
	if !t.standing() {
		return false
	}
	t.start.Store(&start)
	return t.standing()
}

// end ends the trust, for the first reason that is given.
func (t *trust) end(why error) {
	if !t.why.CompareAndSwap(nil, &why) {
		return
	}
	t.cancel(why)
	t.ended()
	t.jumps.Remove(t)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer != nil {
		t.timer.Stop()
	}
}

// tardiness is by how much the timer of a trust may be late.
const tardiness = 100 * time.Microsecond

// Look implements clock.Looker: it ends the trust when it has run out, though nobody
// asks, and comes back when that may be. Timers stand still on a suspended machine:
// afterwards the jump of the clock has it look.
func (t *trust) Look() {
	for left := t.left(); left > 0; {
		t.arm(left)
		// A pause between reading the clock and arming a timer makes that late.
		before := left
		if left = t.left(); before-left <= tardiness {
			return
		}
	}
}

// arm has Look called after d.
func (t *trust) arm(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer != nil {
		t.timer.Stop()
	}
	if !t.over() {
		t.timer = t.clock.AfterFunc(d, t.Look)
	}
}

// trustContext is the context of a trust. Timers fire late after a pause of the
// process, and work may wake up before them: so it asks at every question. It has no
// deadline of its own, for that moves with each renewal, and context.WithTimeout
// drops its own timer for the earlier deadline of a parent.
//
// For package context it looks like the context inside: what is derived from it is
// cancelled together with that, without a goroutine.
type trustContext struct{ trust *trust }

type trustKey struct{} // of a context's value, its innermost trust

func (c trustContext) Deadline() (time.Time, bool) { return c.trust.inside.Deadline() }
func (c trustContext) String() string              { return "leadership.trust" }

func (c trustContext) Err() error {
	c.trust.settle()
	return c.trust.inside.Err()
}

func (c trustContext) Done() <-chan struct{} {
	c.trust.settle()
	return c.trust.inside.Done()
}

func (c trustContext) Value(key any) any {
	if _, ok := key.(trustKey); ok {
		return c.trust
	}
	return c.trust.inside.Value(key)
}

// settle asks the trust, and those around it. If one is over, all that is derived from
// its context has been cancelled when settle returns.
func (t *trust) settle() {
	if t.around != nil {
		t.around.settle()
	}
	t.left() // ends it, when it has run out
	if why := t.why.Load(); why != nil {
		t.cancel(*why) // or waits for the goroutine that is at it
	}
}
