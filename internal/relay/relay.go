// Package relay tells the states of an election over channels, at whatever pace they are
// read, and never holds up those who set them (S9).
package relay

import (
	"context"
	"sync"
)

// Bell tells all who wait that something has changed. The zero value is ready for use. It is
// safe for concurrent use.
type Bell struct {
	mu   sync.Mutex
	next chan struct{} // closed by the next ring, or nil if nobody waits
}

// Wait blocks until find returns a name, and returns that; or until ctx ends, and returns its
// cause. find is called at first, and after each ring.
func (b *Bell) Wait(ctx context.Context, find func() string) (string, error) {
	for {
		rung := b.awaited() // before find looks, to miss no change
		if name := find(); name != "" {
			return name, nil
		}
		select {
		case <-rung:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

// awaited returns a channel that the next ring closes.
func (b *Bell) awaited() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

// Ring tells those who wait. It does not block.
func (b *Bell) Ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

// Rules say what a reader is told.
type Rules[S comparable, T any] struct {
	// Next returns what a reader who was told last, or nothing yet, has to be told
	// while current is the case, if anything.
	Next func(last S, told bool, current S) (S, bool)
	// Stale reports whether last, if unread, is not to be delivered any more.
	Stale func(last, current S) bool
	Value func(S) T
}

// Relay feeds one channel with the states of an election. The channel has room for one
// value, so that the last one can be left in it when it is closed; what lies there unread
// is taken back when it no longer holds. Make it with New. It is safe for concurrent use.
type Relay[S comparable, T any] struct {
	Out   chan T
	rules Rules[S, T]

	wake chan struct{}
	done chan struct{}

	mu      sync.Mutex
	current S
	closed  bool
}

// New makes a relay, whose goroutine ends with Close.
func New[S comparable, T any](rules Rules[S, T]) *Relay[S, T] {
	r := &Relay[S, T]{Out: make(chan T, 1), rules: rules, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go r.run()
	return r
}

// Wake makes the relay look again at what it is to tell. It does not block.
func (r *Relay[S, T]) Wake() { Wake(r.wake) }

// Set makes s the state to be told. It does not block.
func (r *Relay[S, T]) Set(s S) {
	r.mu.Lock()
	r.current = s
	r.mu.Unlock()
	Wake(r.wake)
}

// Close has the reader told how it ends, closes the channel and waits for
// that, which does not depend on the reader.
func (r *Relay[S, T]) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	Wake(r.wake)
	<-r.done
}

func (r *Relay[S, T]) run() {
	defer close(r.done)
	defer close(r.Out)
	var last, before S // put into the channel last, and before that
	var told bool
	for {
		r.mu.Lock()
		current, closed := r.current, r.closed
		r.mu.Unlock()

		if told && r.rules.Stale(last, current) {
			select {
			case <-r.Out:
				last = before
			default: // it has been read
			}
		}
		next, ok := r.rules.Next(last, told, current)
		switch {
		case ok:
			select {
			case r.Out <- r.rules.Value(next):
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

// Wake wakes the one who waits on a channel that has room for one, now or later.
func Wake(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// Terms are the rules of a candidate. Its states are the lease of the term that it leads,
// or nil; every true is followed by a false before the next, and a true whose term is
// over is taken back.
func Terms[L interface {
	comparable
	Valid() bool
}]() Rules[L, bool] {
	var none L
	live := func(l L) bool { return l != none && l.Valid() }
	return Rules[L, bool]{
		Next: func(last L, told bool, current L) (L, bool) {
			switch {
			case !told:
				return none, true
			case last != none:
				return none, last != current || !live(last)
			default:
				return current, live(current)
			}
		},
		Stale: func(last, current L) bool { return last != none && (last != current || !live(last)) },
		Value: func(l L) bool { return l != none },
	}
}

// Latest are the rules of a follower. Its states are the leader's name, empty for none; a
// reader who falls behind is told the latest.
func Latest() Rules[string, string] {
	return Rules[string, string]{
		Next:  func(last string, _ bool, current string) (string, bool) { return current, current != last },
		Stale: func(last, current string) bool { return last != current },
		Value: func(s string) string { return s },
	}
}
