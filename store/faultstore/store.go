// Package faultstore puts faults between one client and its key/value store: delays,
// errors, lost replies, partitions, contexts that are ignored, and watches that die, fall
// silent or lag. It is for tests of a program's failover.
//
// Each client gets its own Store around the store that all share, so that one client can
// be cut off while the others go on:
//
//	shared := memory.New()
//	a, b := faultstore.New(shared), faultstore.New(shared)
//	a.Partition() // b takes over
//	a.Heal()      // a must notice
//
// Faults are controlled by methods, at any time, and by a Plan, which decides for each
// call; Random returns a plan for a seed.
//
// Delays are timers, and no lock is held while anything waits: a Store that is made
// inside a testing/synctest bubble uses its virtual time.
package faultstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// ErrInjected matches every injected error, with errors.Is.
var ErrInjected = errors.New("injected fault")

var _ store.Store = (*Store)(nil)

// Store is one client's view of a store that others may share. All methods are
// safe for concurrent use.
//
// Without faults it passes calls, replies, errors and watches unchanged.
type Store struct {
	inner store.Store
	done  chan struct{} // closed by Close

	mu    sync.Mutex
	now   state
	calls map[Op]int
}

// state is the state of all switches at one time.
type state struct {
	link    link
	muted   bool
	lag     time.Duration
	ignore  bool
	plan    Plan
	kills   int           // counts calls of KillWatches
	changed chan struct{} // closed when this state is replaced
}

// link is the state of the connection between the client and the store.
type link int

const (
	linkUp link = iota
	linkSilent
	linkRefusing
)

// Option is an option of New.
type Option func(*Store)

// WithPlan sets the plan, which decides what happens to each call. The default is none.
func WithPlan(plan Plan) Option {
	return func(s *Store) { s.now.plan = plan }
}

// New returns a client's view of inner, with no faults except those of the options.
func New(inner store.Store, opts ...Option) *Store {
	s := &Store{
		inner: inner,
		done:  make(chan struct{}),
		now:   state{changed: make(chan struct{})},
		calls: make(map[Op]int),
	}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// SetPlan replaces the plan, for calls that begin later. nil means no plan.
func (s *Store) SetPlan(plan Plan) { s.set(func(now *state) { now.plan = plan }) }

// Partition cuts the client off without an error: until Heal, calls hang until their
// contexts end (for ever if they ignore them), watches deliver nothing, and the reply of
// a call under way does not arrive, although it may take effect. At Heal, calls that
// still hang go on as if they had been slow, and watches deliver what they held back.
func (s *Store) Partition() { s.set(func(now *state) { now.link = linkSilent }) }

// Refuse cuts the client off as Partition does, except that calls fail at once,
// with an error that matches ErrInjected and store.ErrNotReachable.
func (s *Store) Refuse() { s.set(func(now *state) { now.link = linkRefusing }) }

// Heal ends the effect of Partition or Refuse. It does not change other faults.
func (s *Store) Heal() { s.set(func(now *state) { now.link = linkUp }) }

// IgnoreContexts makes calls and watches that begin later ignore their contexts, like
// Fault.IgnoreContext. With false, the plan decides again.
func (s *Store) IgnoreContexts(ignore bool) { s.set(func(now *state) { now.ignore = ignore }) }

// KillWatches closes the channels of all present watches. New ones can be started.
func (s *Store) KillWatches() { s.set(func(now *state) { now.kills++ }) }

// MuteWatches makes all watches deliver nothing while they stay open; changes during that
// time are lost. With false, they deliver later changes again.
func (s *Store) MuteWatches(mute bool) { s.set(func(now *state) { now.muted = mute }) }

// LagWatches delays what all watches deliver from now on by d, in addition to the plan's
// Lag. 0, the default, means no delay.
func (s *Store) LagWatches(d time.Duration) { s.set(func(now *state) { now.lag = d }) }

// Calls returns how many calls of op the client has begun, whatever their outcome.
func (s *Store) Calls(op Op) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[op]
}

// Get calls the inner store's Get, with faults.
func (s *Store) Get(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
	var pair *store.KVPair
	err := s.call(ctx, OpGet, key, func(ctx context.Context) (err error) {
		pair, err = s.inner.Get(ctx, key, opts)
		return err
	})
	if err != nil {
		return nil, err
	}
	return pair, nil
}

// GetMany implements store.ManyGetter by the inner store, as one call with the faults of
// OpGet.
func (s *Store) GetMany(ctx context.Context, keys []string) ([]*store.KVPair, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	c := Call{Op: OpGet, Key: keys[0], Keys: slices.Clone(keys)}
	var pairs []*store.KVPair
	err := s.run(ctx, OpGet, keys[0], s.begin(c), func(ctx context.Context) (err error) {
		pairs, err = store.GetMany(ctx, s.inner, keys)
		return err
	})
	if err != nil {
		return nil, err
	}
	return pairs, nil
}

// AtomicPut calls the inner store's AtomicPut, with faults.
func (s *Store) AtomicPut(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
	var (
		done bool
		pair *store.KVPair
	)
	err := s.call(ctx, OpAtomicPut, key, func(ctx context.Context) (err error) {
		done, pair, err = s.inner.AtomicPut(ctx, key, value, previous, opts)
		return err
	})
	if err != nil {
		return false, nil, err
	}
	return done, pair, nil
}

// AtomicDelete calls the inner store's AtomicDelete, with faults.
func (s *Store) AtomicDelete(ctx context.Context, key string, previous *store.KVPair) (bool, error) {
	var done bool
	err := s.call(ctx, OpAtomicDelete, key, func(ctx context.Context) (err error) {
		done, err = s.inner.AtomicDelete(ctx, key, previous)
		return err
	})
	if err != nil {
		return false, err
	}
	return done, nil
}

// List calls the inner store's List, with faults.
func (s *Store) List(ctx context.Context, directory string, opts *store.ReadOptions) ([]*store.KVPair, error) {
	var pairs []*store.KVPair
	err := s.call(ctx, OpList, directory, func(ctx context.Context) (err error) {
		pairs, err = s.inner.List(ctx, directory, opts)
		return err
	})
	if err != nil {
		return nil, err
	}
	return pairs, nil
}

// Page implements store.Pager by the inner store, with the faults of OpList.
func (s *Store) Page(ctx context.Context, directory, from string, wanted func(key string) bool) ([]*store.KVPair, string, error) {
	var pairs []*store.KVPair
	var next string
	err := s.call(ctx, OpList, directory, func(ctx context.Context) (err error) {
		pairs, next, err = store.Page(ctx, s.inner, directory, from, wanted)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return pairs, next, nil
}

// Close ends the client's view: calls that hang or are delayed, and calls made
// later, return store.ErrClosed, and all watches end. It does not close the inner
// store, which other clients may be using. It may be called again, and always
// returns nil.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.done:
	default:
		close(s.done)
	}
	return nil
}

// set changes switches and wakes all that wait for a change.
func (s *Store) set(change func(*state)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.now.changed)
	change(&s.now)
	s.now.changed = make(chan struct{})
}

func (s *Store) state() state {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// call makes one call, which is do, with its faults.
func (s *Store) call(ctx context.Context, op Op, key string, do func(context.Context) error) error {
	return s.run(ctx, op, key, s.begin(Call{Op: op, Key: key}), do)
}

// begin counts a call and asks the plan, without holding the lock.
func (s *Store) begin(c Call) Fault {
	s.mu.Lock()
	s.calls[c.Op]++
	c.Seq = s.calls[c.Op]
	now := s.now
	s.mu.Unlock()

	var f Fault
	if now.plan != nil {
		f = now.plan(c)
	}
	f.IgnoreContext = f.IgnoreContext || now.ignore
	return f
}

func (s *Store) run(ctx context.Context, op Op, key string, f Fault, do func(context.Context) error) error {
	if f.IgnoreContext {
		ctx = context.WithoutCancel(ctx)
	}
	if err := s.travel(ctx, f.Before); err != nil {
		return failed(op, key, "request", err)
	}
	var err error
	if f.Err == nil || f.LoseReply {
		err = do(ctx)
	}
	if err := s.travel(ctx, f.After); err != nil {
		return failed(op, key, "reply", err)
	}
	switch {
	case f.LoseReply:
		return failed(op, key, "reply", injected(f.Err))
	case f.Err != nil:
		return failed(op, key, "request", injected(f.Err))
	default:
		return err
	}
}

// travel delays a request or a reply between client and store. It returns nil when it
// arrives.
func (s *Store) travel(ctx context.Context, delay time.Duration) error {
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.done:
		}
	}
	for {
		select {
		case <-s.done:
			return store.ErrClosed
		default:
		}
		now := s.state()
		switch now.link {
		case linkUp:
			return nil
		case linkRefusing:
			return injected(store.ErrNotReachable)
		}
		select {
		case <-now.changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.done:
		}
	}
}

// injected returns an error that matches ErrInjected and err.
func injected(err error) error {
	switch {
	case err == nil:
		return ErrInjected
	case errors.Is(err, ErrInjected):
		return err
	default:
		return fmt.Errorf("%w: %w", ErrInjected, err)
	}
}

func failed(op Op, key, what string, err error) error {
	return fmt.Errorf("faultstore: %s of %s %q: %w", what, op, key, err)
}
