package leadership

import (
	"context"
	"errors"
	"time"
)

// errNoFlight says that the read that was waited for has come to nothing.
var errNoFlight = errors.New("the read has failed")

// flight is one read of a round, for all who asked for it before it began.
type flight struct {
	done chan struct{} // closed when it has ended
	view roundView
	err  error
}

// flights are the reads of one round.
type flights struct {
	running *flight // that is under way, or nil
	next    *flight // that begins once the running one has ended, or nil
}

// readTogether is read, for whoever may be one of many: those who ask while a
// read is under way share the next. So a round for which a thousand ask at
// once is read a few times, and each gets an answer from after it asked.
func (r *Round) readTogether(ctx context.Context) (roundView, error) {
	if r.err != nil || ctx == nil {
		return r.read(ctx)
	}
	mine, before, lead := r.shared.board(r.key)
	if !lead {
		if r.landed(ctx, mine) && mine.err == nil {
			return mine.view, nil
		}
		return r.read(ctx) // its error should be of a call of our own
	}
	mine.err = errNoFlight // as long as there is nothing better
	defer r.shared.land(r.key, mine)
	if before != nil && !r.landed(ctx, before) {
		return r.read(ctx)
	}
	r.shared.start(r.key, mine)
	mine.view, mine.err = r.read(ctx)
	return mine.view, mine.err
}

// landed waits for a flight to end, but no longer than for a call of the store, and
// says whether it has.
func (r *Round) landed(ctx context.Context, f *flight) bool {
	timer := time.NewTimer(r.opts.timeout)
	defer timer.Stop()
	select {
	case <-f.done:
		return true
	case <-ctx.Done():
	case <-timer.C:
	}
	return false
}

// board returns a flight that has not begun, the one that it has to wait for, if
// any, and whether the caller has to make it.
func (s *roundShared) board(key string) (mine, before *flight, lead bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.flights[key]
	if f == nil {
		f = &flights{}
		s.flights[key] = f
	}
	if f.next != nil {
		return f.next, nil, false
	}
	mine = &flight{done: make(chan struct{})}
	if f.running == nil {
		f.running = mine
		return mine, nil, true
	}
	f.next = mine
	return mine, f.running, true
}

// start says that a flight begins: nobody can board it any more.
func (s *roundShared) start(key string, mine *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.flights[key]; f != nil && f.next == mine {
		f.running, f.next = mine, nil
	}
}

// land ends a flight, whether it has begun or not.
func (s *roundShared) land(key string, mine *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.flights[key]; f != nil {
		if f.running == mine {
			f.running = nil
		}
		if f.next == mine {
			f.next = nil
		}
		if f.running == nil && f.next == nil {
			delete(s.flights, key)
		}
	}
	close(mine.done)
}
