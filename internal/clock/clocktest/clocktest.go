// Package clocktest has clocks for tests.
package clocktest

import (
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
)

// Hand is a clock that stands still until it is moved. Its timers are those of the
// machine, or of the bubble.
type Hand struct {
	clock.System
	mu  sync.Mutex
	now clock.Instant
}

// At makes a clock that shows now.
func At(now clock.Instant) *Hand { return &Hand{now: now} }

// Now implements clock.Clock.
func (c *Hand) Now() clock.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Move moves both of its hands.
func (c *Hand) Move(mono, wall time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now.Mono += mono
	c.now.Wall += int64(wall)
}
