package leadership

import "sync"

// relay feeds one channel with the states of an election, at whatever pace it
// is read, and never holds up whoever sets them (S9). The channel has room for
// one value, so that the last one can be left in it when it is closed; what
// lies there unread is taken back when it no longer holds.
type relay[S comparable, T any] struct {
	out chan T
	// next returns what a reader who was told last, or nothing yet, has to be
	// told while current is the case, if anything.
	next func(last S, told bool, current S) (S, bool)
	// stale says whether last, if unread, is not to be delivered any more.
	stale func(last, current S) bool
	value func(S) T

	wake chan struct{}
	done chan struct{}

	mu      sync.Mutex
	current S
	closed  bool
}

// set makes s the state to be told. It does not block.
func (r *relay[S, T]) set(s S) {
	r.mu.Lock()
	r.current = s
	r.mu.Unlock()
	nudge(r.wake)
}

// close has the reader told how it ends, closes the channel and waits for
// that, which does not depend on the reader.
func (r *relay[S, T]) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	nudge(r.wake)
	<-r.done
}

func (r *relay[S, T]) run() {
	defer close(r.done)
	defer close(r.out)
	var last, before S // put into the channel last, and before that
	var told bool
	for {
		r.mu.Lock()
		current, closed := r.current, r.closed
		r.mu.Unlock()

		if told && r.stale(last, current) {
			select {
			case <-r.out:
				last = before
			default: // it has been read
			}
		}
		next, ok := r.next(last, told, current)
		switch {
		case ok:
			select {
			case r.out <- r.value(next):
				before, last, told = last, next, true
			case <-r.wake:
			}
		case closed:
			return
		default:
			<-r.wake
		}
	}
}

// nudge wakes whoever waits on a channel that has room for one, now or later.
func nudge(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// newElectionRelay makes the relay of a candidate. Its states are the lease of
// the term that the candidate leads, or nil; every true is followed by a false
// before the next.
func newElectionRelay() *relay[*lease, bool] {
	live := func(l *lease) bool { return l != nil && l.standing() }
	r := &relay[*lease, bool]{
		out: make(chan bool, 1), wake: make(chan struct{}, 1), done: make(chan struct{}),
		next: func(last *lease, told bool, current *lease) (*lease, bool) {
			switch {
			case !told:
				return nil, true
			case last != nil:
				return nil, last != current || !live(last)
			default:
				return current, live(current)
			}
		},
		stale: func(last, current *lease) bool { return last != nil && (last != current || !live(last)) },
		value: func(l *lease) bool { return l != nil },
	}
	go r.run()
	return r
}

// newLeaderRelay makes the relay of a follower. Its states are the leader's
// name, empty for none; a reader who falls behind is told the latest.
func newLeaderRelay() *relay[string, string] {
	r := &relay[string, string]{
		out: make(chan string, 1), wake: make(chan struct{}, 1), done: make(chan struct{}),
		next: func(last string, _ bool, current string) (string, bool) {
			return current, current != last
		},
		stale: func(last, current string) bool { return last != current },
		value: func(s string) string { return s },
	}
	go r.run()
	return r
}
