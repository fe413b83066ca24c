// Package loop runs what has something to do now and then, in a goroutine that lives no
// longer than that.
package loop

import (
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
)

// Loop calls one function, its step, whenever there is something to do, in a goroutine
// that lives no longer than that, and never twice at once. So thousands of elections that
// wait need no stacks. Init makes one of the zero value.
type Loop struct {
	step  func()
	clock clock.Clock
	state atomic.Int32
	alarm *time.Timer // begins the next step at the latest, or nil
}

const (
	idle    int32 = iota
	running       // a step is under way
	again         // and another is to follow
	over
)

// Init makes a loop of l. step does what there is to do, and returns. It runs once Start is
// called, and not for a Wake before that.
func (l *Loop) Init(c clock.Clock, step func()) {
	l.step, l.clock = step, c
	l.state.Store(running)
}

// Start begins the first step. It does not block.
func (l *Loop) Start() { go l.run() }

// Wake has a step begin, now or after the one under way. It does not block, and is safe
// for concurrent use.
func (l *Loop) Wake() {
	if l.begun() {
		go l.run()
	}
}

// Run is Wake, but takes the step in the caller's goroutine, unless one is under way: it is for
// a step that is known to be short.
func (l *Loop) Run() {
	if l.begun() {
		l.run()
	}
}

// begun reports whether the caller is to run the loop.
func (l *Loop) begun() bool {
	for {
		switch state := l.state.Load(); state {
		case idle:
			if l.state.CompareAndSwap(state, running) {
				return true
			}
		case running:
			if l.state.CompareAndSwap(state, again) {
				return false
			}
		default:
			return false
		}
	}
}

func (l *Loop) run() {
	for l.begin(); !l.state.CompareAndSwap(running, idle); l.begin() {
		if !l.state.CompareAndSwap(again, running) {
			return
		}
	}
}

func (l *Loop) begin() {
	if l.alarm != nil {
		l.alarm.Stop()
		l.alarm = nil
	}
	l.step()
}

// Sleep is the end of a step: the next begins when something calls Wake, or the monotonic
// clock shows until.
func (l *Loop) Sleep(until time.Duration) {
	if until == clock.Never {
		return
	}
	now := l.clock.Now().Mono
	l.alarm = l.clock.AfterFunc(until-now, l.Run)
	// A pause between reading the clock and arming the timer would make the timer
	// late: step again.
	if l.clock.Now().Mono-now > clock.Tardiness {
		l.Wake()
	}
}

// Last says, within a step, that it is the last.
func (l *Loop) Last() { l.state.Store(over) }
