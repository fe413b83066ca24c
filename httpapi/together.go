package httpapi

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// together reads from the store for many who ask for the same: those who ask while
// a read waits for its turn share it. Nobody is answered by a read that had begun
// before it asked. It is safe for concurrent use.
type together[T any] struct {
	timeout time.Duration
	slots   chan struct{} // held by each read under way

	mu      sync.Mutex
	waiting map[string]*shared[T] // reads that have not begun
}

// shared is one read for all who asked for it before it began.
type shared[T any] struct {
	done   chan struct{} // closed when it has ended
	cancel context.CancelFunc
	asking int // who wait for it; guarded by the owner's mu
	value  T
	err    error
}

func newTogether[T any](slots int, timeout time.Duration) *together[T] {
	return &together[T]{timeout: timeout, slots: make(chan struct{}, slots), waiting: make(map[string]*shared[T])}
}

var errUnread = errors.New("httpapi: a read has ended without an answer")

// do returns what read returns, for callers that ask by the same key. It blocks for
// as long as the read takes, and its turn takes to come, or until ctx ends. read is
// given a context that ends after the timeout, or when nobody asks any more.
func (t *together[T]) do(ctx context.Context, key string, read func(context.Context) (T, error)) (T, error) {
	t.mu.Lock()
	s := t.waiting[key]
	if s == nil {
		// In this goroutine, though its own client may leave before others do.
		running, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.timeout)
		defer cancel()
		// err is for those who wait for a read that panics.
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

// begin has those who ask from now on wait for the next read.
func (t *together[T]) begin(key string, s *shared[T]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting[key] == s {
		delete(t.waiting, key)
	}
}

// leave ends a read for which nobody asks any more.
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
