// Package lease is the trust in a write, computed from the clock: the one thing that may
// say that a candidate leads.
package lease

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
)

// Lease is what a write gives to its writer: for so long it may act by what it wrote.
// Whether it is valid is computed from the clock at every question (S3): from the start
// of the attempt that last succeeded (S1), by the larger of monotonic and wall-clock time
// (S4). Once it was found to have run out, or was ended, it is never valid again (S7).
// Make it with New. It is safe for concurrent use.
type Lease struct {
	length time.Duration
	clock  clock.Clock
	lapse  error // why it is over when it has run out

	start atomic.Pointer[clock.Instant] // of the last successful attempt
	why   atomic.Pointer[error]         // why it is over, nil while it is not known to be

	// ctx ends when the lease does, with why as its cause. It asks the lease; the
	// context inside is cancelled by the first to find out.
	ctx    context.Context
	inside context.Context
	cancel context.CancelCauseFunc
	ended  func() // called once, when it ends; it must not block
	around *Lease // that ctx is within, or nil
	rides  *Lease // that this one lasts no longer than, or nil

	jumps *clock.Jumps

	mu     sync.Mutex
	timer  *time.Timer
	riders map[*Lease]struct{}
}

// New begins a lease of that length, from start on, whose context is within outer. lapse
// is why it is over when it has run out. ended is called once, when the lease ends; it
// must not block.
func New(outer context.Context, c clock.Clock, length time.Duration, start clock.Instant, lapse error, ended func()) *Lease {
	return Riding(outer, nil, c, length, start, lapse, ended)
}

// Riding is New of a lease that ends with another, at the latest (S11).
func Riding(outer context.Context, on *Lease, c clock.Clock, length time.Duration, start clock.Instant, lapse error, ended func()) *Lease {
	l := &Lease{length: length, clock: c, lapse: lapse, ended: ended, rides: on}
	l.ctx = leaseContext{l}
	l.around, _ = outer.Value(leaseKey{}).(*Lease)
	l.inside, l.cancel = context.WithCancelCause(outer)
	l.start.Store(&start)
	l.jumps = c.Jumps()
	l.jumps.Add(l)
	if on != nil {
		on.carry(l)
	}
	l.Look()
	return l
}

// carry has a lease that rides on this one end with it.
func (l *Lease) carry(rider *Lease) {
	l.mu.Lock()
	if l.riders == nil {
		l.riders = make(map[*Lease]struct{})
	}
	l.riders[rider] = struct{}{}
	l.mu.Unlock()
	if why := l.why.Load(); why != nil {
		rider.End(*why)
	}
}

// drop forgets a rider that has ended.
func (l *Lease) drop(rider *Lease) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.riders, rider)
}

// Context returns a context that ends when the lease does, with why it has ended as its
// cause. Its Err and Done ask the lease.
func (l *Lease) Context() context.Context { return l.ctx }

// Valid reports whether the lease is valid now. It allocates nothing.
func (l *Lease) Valid() bool { return l.Left() > 0 }

// Over reports whether the lease is known to be over. That it is not does not mean that
// it is valid.
func (l *Lease) Over() bool { return l.why.Load() != nil }

// Left returns for how long the lease is still valid, 0 if it is not.
func (l *Lease) Left() time.Duration {
	if l.Over() {
		return 0
	}
	left := clock.Never
	if l.rides != nil {
		left = l.rides.Left()
	}
	if left = min(left, l.own()); left == 0 {
		l.End(l.lapse)
	}
	return left
}

// own returns for how long the lease is valid by its own start.
func (l *Lease) own() time.Duration {
	for {
		// The clock is read last: a reader that is paused before that has a late
		// time with an early start, never the other way round.
		start := l.start.Load()
		d := l.clock.Now().Left(l.length, *start)
		if d > 0 || l.start.Load() == start { // not renewed meanwhile
			return d
		}
	}
}

// Renew extends the lease by a renewal that was attempted at start and succeeded. It
// reports whether the lease is valid.
func (l *Lease) Renew(start clock.Instant) bool {
	if !l.Valid() {
		return false
	}
	l.start.Store(&start)
	return l.Valid()
}

// End ends the lease, for the first reason that is given.
func (l *Lease) End(why error) {
	if !l.why.CompareAndSwap(nil, &why) {
		return
	}
	l.cancel(why)
	l.ended()
	l.jumps.Remove(l)
	if l.rides != nil {
		l.rides.drop(l)
	}
	l.mu.Lock()
	if l.timer != nil {
		l.timer.Stop()
	}
	riders := l.riders
	l.riders = nil
	l.mu.Unlock()
	for rider := range riders {
		rider.End(rider.lapse)
	}
}

// Look implements clock.Looker: it ends the lease when it has run out, though nobody
// asks, and comes back when that may be. Timers stand still on a suspended machine:
// afterwards the jump of the clock makes it look.
func (l *Lease) Look() {
	for left := l.own(); l.Left() > 0; { // the one that it rides on has a timer of its own
		l.arm(left)
		// A pause between reading the clock and arming the timer would make the
		// timer late: look again.
		before := left
		if left = l.own(); before-left <= clock.Tardiness {
			return
		}
	}
}

// arm has Look called after d.
func (l *Lease) arm(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
	if !l.Over() {
		l.timer = l.clock.AfterFunc(d, l.Look)
	}
}

// leaseContext is the context of a lease. Timers fire late after a pause of the process,
// and work may wake up before them: so it asks at every question. It has no deadline of
// its own, for that moves with each renewal, and context.WithTimeout drops its own timer
// for the earlier deadline of a parent.
//
// For package context it looks like the context inside: what is derived from it is
// cancelled together with that, without a goroutine.
type leaseContext struct{ lease *Lease }

type leaseKey struct{} // of a context's value, its innermost lease

func (c leaseContext) Deadline() (time.Time, bool) { return c.lease.inside.Deadline() }
func (c leaseContext) String() string              { return "leadership.lease" }

func (c leaseContext) Err() error {
	c.lease.settle()
	return c.lease.inside.Err()
}

func (c leaseContext) Done() <-chan struct{} {
	c.lease.settle()
	return c.lease.inside.Done()
}

func (c leaseContext) Value(key any) any {
	if _, ok := key.(leaseKey); ok {
		return c.lease
	}
	return c.lease.inside.Value(key)
}

// settle asks the lease, and those around it. If one is over, all that is derived from
// its context has been cancelled when settle returns.
func (l *Lease) settle() {
	if l.around != nil {
		l.around.settle()
	}
	if l.rides != nil {
		l.rides.settle()
	}
	l.Left() // ends it, when it has run out
	if why := l.why.Load(); why != nil {
		l.cancel(*why) // or waits for the goroutine that is at it
	}
}
