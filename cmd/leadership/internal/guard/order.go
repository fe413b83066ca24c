package guard

import (
	"math"
	"syscall"
	"time"
)

// instant is a reading of the clock that goes on while the machine is suspended,
// in nanoseconds: one clock for all processes of the machine.
type instant int64

// never is an instant that does not come.
const never = instant(math.MaxInt64)

func (i instant) add(d time.Duration) instant {
	if i > never-instant(max(d, 0)) {
		return never
	}
	return i + instant(d)
}

// order is what the supervisor tells the guard, as a line of JSON. The end of the
// orders is one, too: to stop.
type order struct {
	// Over is when the term ends, unless a later order tells otherwise, and Last is
	// when the command has to be dead. 0 means that the order does not tell.
	Over instant `json:"over,omitempty"`
	Last instant `json:"last,omitempty"`

	// Signal is for the command.
	Signal syscall.Signal `json:"signal,omitempty"`

	// Stop ends the command by SIGTERM, and by SIGKILL after the grace; Kill ends it at
	// once.
	Stop bool `json:"stop,omitempty"`
	Kill bool `json:"kill,omitempty"`
}
