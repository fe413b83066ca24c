// Package clock is all that an election knows of time and chance, so that a
// simulation can take it over.
package clock

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"time"
)

// Instant is one reading of both of a machine's clocks.
type Instant struct {
	// Mono counts from a fixed point of this process. On Linux it stands
	// still while the machine is suspended.
	Mono time.Duration

	// Wall is in nanoseconds since 1970. It goes on while the machine is
	// suspended, and jumps when somebody sets it.
	Wall int64
}

// Since returns how long ago earlier was: by the clock that says it was
// longer, so that neither a suspended machine nor a wall clock that was set
// back makes the past look recent (S4).
func (i Instant) Since(earlier Instant) time.Duration {
	return max(i.Mono-earlier.Mono, time.Duration(i.Wall-earlier.Wall))
}

// Left returns what is left of d that began at start, 0 if nothing is.
func (i Instant) Left(d time.Duration, start Instant) time.Duration { return max(0, d-i.Since(start)) }

// ahead is by how much the wall clock is ahead of the monotonic one.
func (i Instant) ahead() time.Duration { return time.Duration(i.Wall) - i.Mono }

// Time returns the wall clock's reading.
func (i Instant) Time() time.Time { return time.Unix(0, i.Wall) }

// Rounded is a duration with the three digits that people want.
func Rounded(d time.Duration) time.Duration {
	for unit := time.Second; unit > time.Nanosecond; unit /= 10 {
		if d >= 100*unit {
			return d.Round(unit)
		}
	}
	return d
}

// Tardiness is by how much a timer may be late.
const Tardiness = 100 * time.Microsecond

// Never is a reading of the monotonic clock that does not come.
const Never = time.Duration(math.MaxInt64)

// Later returns d after now, or Never where that is beyond counting.
func Later(now, d time.Duration) time.Duration {
	if d > 0 && now > Never-d {
		return Never
	}
	return now + d
}

// Together returns when one that waits until a reading of the monotonic clock, or at most slack
// longer, is to go on, so that many of a process do at once.
func Together(until, slack time.Duration) time.Duration {
	if slack <= 0 || until > Never-slack {
		return until
	}
	return until + slack - (until+slack)%slack
}

// Clock reads time, calls back after it, and gives the chance for jitter. It
// is safe for concurrent use.
type Clock interface {
	// Now reads both clocks at once.
	Now() Instant

	// AfterFunc calls f in a goroutine of its own once d has gone by on the
	// monotonic clock. The timer returned is to be stopped, never reset.
	AfterFunc(d time.Duration, f func()) *time.Timer

	// Float64 returns a random number in [0, 1).
	Float64() float64

	// Jumps tells when the two clocks go apart; nil where they cannot.
	Jumps() *Jumps
}

// System is the machine's own clock.
type System struct{}

var base = time.Now()

// Now implements Clock.
func (System) Now() Instant {
	t := time.Now()
	return Instant{Mono: t.Sub(base), Wall: t.UnixNano()}
}

// AfterFunc implements Clock.
func (System) AfterFunc(d time.Duration, f func()) *time.Timer { return time.AfterFunc(d, f) }

// Float64 implements Clock.
func (System) Float64() float64 { return rand.Float64() }

var jumps = NewJumps(System{})

// Jumps implements Clock. In a bubble of testing/synctest it returns nil: there time has no
// monotonic reading, so that both clocks are one; and no bubble may wait for the timer
// of another.
func (System) Jumps() *Jumps {
	if t := time.Now(); t == t.Round(0) {
		return nil
	}
	return jumps
}

// Stride returns a random number that a copied machine does not repeat: it is of
// crypto/rand and of the time.
func Stride() uint32 {
	var b [4]byte
	_, _ = crand.Read(b[:]) // never fails
	return binary.NativeEndian.Uint32(b[:]) ^ uint32(time.Now().UnixNano())
}

// Option makes a leadership.Option (in the any) of a Clock. Package leadership sets it;
// simulations use it.
var Option func(Clock) any

// RoundOption is Option for a leadership.RoundOption.
var RoundOption func(Clock) any

// Pause waits for d, or returns the cause of ctx if that ends first.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
