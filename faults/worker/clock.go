package worker

import (
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/clock"
)

// handClock is a clock that is too fast or too slow, and whose wall clock can be set.
type handClock struct {
	clock.System
	rate  float64
	begun clock.Instant // by the machine's clock
	set   atomic.Int64  // by how much the wall clock was set forward
	jumps *clock.Jumps
}

func newHandClock(rate float64) *handClock {
	c := &handClock{rate: rate, begun: clock.System{}.Now()}
	c.jumps = clock.NewJumps(c)
	return c
}

// Now implements clock.Clock.
func (c *handClock) Now() clock.Instant {
	now := clock.System{}.Now()
	return clock.Instant{
		Mono: c.begun.Mono + time.Duration(float64(now.Mono-c.begun.Mono)*c.rate),
		Wall: c.begun.Wall + int64(float64(now.Wall-c.begun.Wall)*c.rate) + c.set.Load(),
	}
}

// AfterFunc implements clock.Clock.
func (c *handClock) AfterFunc(d time.Duration, f func()) *time.Timer {
	return time.AfterFunc(time.Duration(float64(d)/c.rate), f)
}

// Jumps implements clock.Clock.
func (c *handClock) Jumps() *clock.Jumps { return c.jumps }

// forward sets the wall clock forward, or back.
func (c *handClock) forward(d time.Duration) { c.set.Add(int64(d)) }

func (c *handClock) option() leadership.Option { return clock.Option(c).(leadership.Option) }
