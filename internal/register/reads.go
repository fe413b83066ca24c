package register

import (
	"context"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// Reads are the reads of one store that many wait for. Those who ask while a read is
// under way share the next: so a key that a thousand ask for at once is read a few
// times, and nobody is given what was read before asking. The zero value is ready to
// use. It is safe for concurrent use.
type Reads struct {
	mu      sync.Mutex
	next    map[string]*read // by key, those that have not begun
	running map[string]*read // those that were begun last, and have not ended
}

// read is one read, for all who asked for it before it began.
type read struct {
	done chan struct{} // closed when it has ended
	pair *store.KVPair
	err  error
}

// get reads the pair under key by get, or returns what another has read who began
// later than this call. A read that fails is not shared. It waits for others until ctx
// ends, but no longer than for a call of the store.
func (s *Reads) get(ctx context.Context, key string, timeout time.Duration, get func() (*store.KVPair, error)) (*store.KVPair, error) {
	mine, before, leads := s.join(key)
	if !leads {
		if mine.wait(ctx, timeout) && mine.err == nil {
			return mine.pair, nil
		}
		return get() // an error is to be of a call of its own
	}
	if before != nil {
		before.wait(ctx, timeout)
	}
	s.begin(key, mine)
	mine.pair, mine.err = get()
	s.end(key, mine)
	return mine.pair, mine.err
}

// join returns a read that has not begun, the one that it has to wait for, or nil, and
// whether the caller is to make it.
func (s *Reads) join(key string) (mine, before *read, leads bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next, s.running = make(map[string]*read), make(map[string]*read)
	}
	if mine = s.next[key]; mine != nil {
		return mine, nil, false
	}
	mine = &read{done: make(chan struct{})}
	s.next[key] = mine
	return mine, s.running[key], true
}

// begin makes sure that nobody can join a read any more.
func (s *Reads) begin(key string, mine *read) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.next, key)
	s.running[key] = mine
}

func (s *Reads) end(key string, mine *read) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[key] == mine {
		delete(s.running, key)
	}
	close(mine.done)
}

// wait reports whether the read has ended within the timeout, and before ctx.
func (f *read) wait(ctx context.Context, timeout time.Duration) bool {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-f.done:
		return true
	case <-ctx.Done():
	case <-timer.C:
	}
	return false
}
