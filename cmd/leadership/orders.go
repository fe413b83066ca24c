package main

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

// order is what leadership run tells the guard of its command, as a line of
// JSON. The end of the orders is one, too: to stop.
type order struct {
	// Over is when the term ends, unless a later order says otherwise, and
	// Last when the command has to be dead. 0 says nothing.
	Over instant `json:"over,omitempty"`
	Last instant `json:"last,omitempty"`

	// Signal is for the command.
	Signal syscall.Signal `json:"signal,omitempty"`

	// Stop ends the command by SIGTERM, and after the grace by SIGKILL; Kill
	// ends it at once.
	Stop bool `json:"stop,omitempty"`
	Kill bool `json:"kill,omitempty"`
}

// report is what the guard says at last, when nothing of the command is left.
type report struct {
	// Code is the exit code of the command: 128+n where signal n ended it.
	Code int `json:"code"`

	// Ended says that the command was told to end, and did not by itself.
	Ended bool `json:"ended"`

	// Failure says why the command was not started.
	Failure string `json:"failure,omitempty"`
}
