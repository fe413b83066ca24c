package lease

import (
	"context"
	"sync"
	"sync/atomic"
)

// Session is the session of a process: one incarnation after the other, while it has riders. Make
// it with NewSession. A nil one is that of nobody: it is never alive. All methods are safe for
// concurrent use.
type Session struct {
	live    func(context.Context) error
	current atomic.Pointer[carrier] // that can be trusted, or nil
	failed  atomic.Pointer[error]   // why there will be none any more, or nil

	mu     sync.Mutex
	riders map[*Rider]struct{}
	names  map[string]int     // how many riders have that instance
	stop   context.CancelFunc // ends run; nil while there are no riders
	ended  chan struct{}      // closed when the last run has ended; nil before the first
}

// carrier is one incarnation.
type carrier struct {
	key   string
	lease *Lease
}

// NewSession makes a session. live keeps one incarnation alive until that is lost or the context
// ends, gives it up, and returns; it calls Set meanwhile. An error means that there is to be no
// other.
func NewSession(live func(context.Context) error) *Session {
	return &Session{live: live, riders: make(map[*Rider]struct{}), names: make(map[string]int)}
}

// Set tells that the incarnation under key is alive, or, with nil, that it is not. It wakes
// all riders.
func (s *Session) Set(key string, l *Lease) {
	if l == nil {
		s.current.Store(nil)
	} else {
		s.current.Store(&carrier{key, l})
	}
	s.wake()
}

func (s *Session) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for r := range s.riders {
		r.wake()
	}
}

// Key returns the key of the incarnation that can be trusted, or "" while there is none.
func (s *Session) Key() string {
	if s == nil {
		return ""
	}
	if c := s.current.Load(); c != nil && c.lease.Valid() {
		return c.key
	}
	return ""
}

// Rider is one user of a session: a campaign. A nil one rides on no session.
type Rider struct {
	of       *Session
	name     func(key string) string
	wake     func()
	at, ref  string // the incarnation that was named last, and how
	instance string // that its terms name
}

// Ride keeps the session alive until the rider calls Done. name returns how the rider's record
// names the session under a key. It and wake must not block. ctx is used for its values only.
func (s *Session) Ride(ctx context.Context, name func(key string) string, wake func()) *Rider {
	if s == nil {
		return nil
	}
	r := &Rider{of: s, name: name, wake: wake}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.riders[r] = struct{}{}
	if s.stop == nil {
		before, ended := s.ended, make(chan struct{})
		ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
		s.ended = ended
		s.failed.Store(nil)
		go s.run(ctx, before, ended)
	}
	return r
}

// run keeps the session alive until ctx ends: after an incarnation that is over it begins
// another, unless that has failed.
func (s *Session) run(ctx context.Context, before <-chan struct{}, ended chan<- struct{}) {
	defer close(ended)
	if before != nil {
		<-before
	}
	for ctx.Err() == nil {
		if err := s.live(ctx); err != nil {
			s.failed.Store(&err)
			s.wake()
			<-ctx.Done()
		}
	}
}

// Err returns why there will be no session to ride on, or nil.
func (r *Rider) Err() error {
	if r == nil {
		return nil
	}
	if err := r.of.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// Name returns how the rider's record names the incarnation that can be trusted, or "" while
// there is none. It is not safe for concurrent use.
func (r *Rider) Name() string {
	if r == nil {
		return ""
	}
	key := r.of.Key()
	if key == "" {
		return ""
	}
	if key != r.at {
		r.at, r.ref = key, r.name(key)
	}
	return r.ref
}

// As tells the instance that the rider's terms name. It is not safe for concurrent use.
func (r *Rider) As(instance string) {
	if r == nil || r.instance == instance {
		return
	}
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	r.rename(instance)
}

func (r *Rider) rename(instance string) {
	names := r.of.names
	if names[r.instance]--; names[r.instance] <= 0 {
		delete(names, r.instance)
	}
	if r.instance = instance; instance != "" {
		names[instance]++
	}
}

// Carries reports whether a rider of that instance rides on the session.
func (s *Session) Carries(instance string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.names[instance] > 0
}

// Lease returns the lease of the incarnation of that name, nil if that is over. It is not safe
// for concurrent use.
func (r *Rider) Lease(name string) *Lease {
	if r == nil || name != r.ref {
		return nil
	}
	if c := r.of.current.Load(); c != nil && c.key == r.at && c.lease.Valid() {
		return c.lease
	}
	return nil
}

// Done ends the ride. It waits, for the last of a session's riders, until that has been given up.
func (r *Rider) Done() {
	if r == nil {
		return
	}
	s := r.of
	s.mu.Lock()
	delete(s.riders, r)
	r.rename("")
	last := len(s.riders) == 0 && s.stop != nil
	ended := s.ended
	if last {
		s.stop()
		s.stop = nil
	}
	s.mu.Unlock()
	if last {
		<-ended
	}
}
