package history

import (
	"time"

	"golang.org/x/sys/unix"
)

// Stamp is a reading of CLOCK_MONOTONIC, in nanoseconds. All processes of a machine read
// the same clock.
type Stamp int64

// Now reads the clock.
func Now() Stamp {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // every kernel has it
	}
	return Stamp(t.Nano())
}

// Sub returns how long after u the stamp is.
func (s Stamp) Sub(u Stamp) time.Duration { return time.Duration(s - u) }

// Add returns the stamp d later.
func (s Stamp) Add(d time.Duration) Stamp { return s + Stamp(d) }
