package leadership

import "sync/atomic"

// turns calls one function whenever there is something to do, in a goroutine
// that lives no longer than that, and never twice at once. So thousands of
// elections that wait need no stacks.
type turns struct {
	take  func() // does what there is to do, and returns
	state atomic.Int32
}

const (
	turnsIdle  int32 = iota
	turnsUnder       // a turn is under way
	turnsAgain       // and another is to follow
	turnsOver
)

// nudge has a turn begin, now or after the one under way. It does not block;
// safe for concurrent use.
func (t *turns) nudge() {
	for {
		switch state := t.state.Load(); state {
		case turnsIdle:
			if t.state.CompareAndSwap(state, turnsUnder) {
				go t.run()
				return
			}
		case turnsUnder:
			if t.state.CompareAndSwap(state, turnsAgain) {
				return
			}
		default:
			return
		}
	}
}

func (t *turns) run() {
	for t.take(); !t.state.CompareAndSwap(turnsUnder, turnsIdle); t.take() {
		if !t.state.CompareAndSwap(turnsAgain, turnsUnder) {
			return
		}
	}
}

// last says, within a turn, that it is the last.
func (t *turns) last() { t.state.Store(turnsOver) }
