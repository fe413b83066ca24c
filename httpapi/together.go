package httpapi

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// together shares reads: callers that ask for the same while a read of it waits for its
// turn share that read. No caller gets the answer of a read that had begun before the
// call. It is safe for concurrent use.
type together[T any] struct {
	timeout time.Duration
	slots   chan struct{} // held by each read under way

	mu      sync.Mutex
	waiting map[string]*shared[T] // reads that have not begun
}

// shared is one read, for all callers that asked for it before it began.
type shared[T any] struct {
	done   chan struct{} // closed when it has ended
	cancel context.CancelFunc
	asking int // callers that wait for it; guarded by the owner's mu
	value  T
	err    error
}

func newTogether[T any](slots int, timeout time.Duration) *together[T] {
	return &together[T]{timeout: timeout, slots: make(chan struct{}, slots), waiting: make(map[string]*shared[T])}
}

var errUnread = errors.New("httpapi: a read has ended without an answer")

// do returns what read returns, for all callers of the same key. It blocks until the read
// has had its turn and has ended, or until ctx ends. The context of read ends after the
// timeout, or when no caller waits any more.
func (t *together[T]) do(ctx context.Context, key string, read func(context.Context) (T, error)) (T, error) {
	t.mu.Lock()
	s := t.waiting[key]
	if s == nil {
		// In this goroutine, though its own client may leave before the others.
		running, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.timeout)
		defer cancel()
		// err is for callers that wait for a read that panics.
		s = &shared[T]{done: make(chan struct{}), cancel: cancel, asking: 1, err: errUnread}
		t.waiting[key] = s
		t.mu.Unlock()
		defer context.AfterFunc(ctx, func() { t.leave(key, s) })()
		defer close(s.done)
		s.value, s.err = t.read(running, key, s, read)
		return s.value, s.err
	}
	s.asking++
	t.mu.Unlock()
	select {
	case <-s.done:
		return s.value, s.err
	case <-ctx.Done():
		t.leave(key, s)
		var none T
		return none, context.Cause(ctx)
	}
}

func (t *together[T]) read(ctx context.Context, key string, s *shared[T], read func(context.Context) (T, error)) (T, error) {
	defer t.begin(key, s)
	select {
	case t.slots <- struct{}{}:
		defer func() { <-t.slots }()
	case <-ctx.Done():
		var none T
		return none, fmt.Errorf("httpapi: %w, %d reads of this kind, are under way: %w", errBusy, cap(t.slots), context.Cause(ctx))
	}
	t.begin(key, s)
	return read(ctx)
}

// begin begins a read: later callers wait for the next one.
func (t *together[T]) begin(key string, s *shared[T]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting[key] == s {
		delete(t.waiting, key)
	}
}

// leave removes a caller, and ends the read if it was the last.
func (t *together[T]) leave(key string, s *shared[T]) {
	t.mu.Lock()
	s.asking--
	last := s.asking == 0
	if last && t.waiting[key] == s {
		delete(t.waiting, key)
	}
	t.mu.Unlock()
	if last {
		s.cancel()
	}
}
