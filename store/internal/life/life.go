// Package life ends what a store has running when it is closed.
package life

import (
	"context"
	"sync"

	"github.com/seed-a1d591d3/leadership/store"
)

// Life is the time from the making of a store to its Close. The zero value has
// begun. All methods are safe for concurrent use.
type Life struct {
	mu      sync.Mutex
	closed  bool
	ends    map[*context.CancelFunc]struct{}
	running sync.WaitGroup
}

// Check returns the error of ctx if it has ended, store.ErrClosed if the store
// is closed, and else nil.
func (l *Life) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return store.ErrClosed
	}
	return nil
}

// Go runs f in a goroutine, under a context that ends with ctx and with the
// life, which does not end before f has. It returns an error, and does not run
// f, where Check would.
func (l *Life) Go(ctx context.Context, f func(ctx context.Context)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return store.ErrClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	if l.ends == nil {
		l.ends = make(map[*context.CancelFunc]struct{})
	}
	l.ends[&cancel] = struct{}{}
	l.running.Go(func() {
		defer func() {
			cancel()
			l.mu.Lock()
			defer l.mu.Unlock()
			delete(l.ends, &cancel)
		}()
		f(ctx)
	})
	return nil
}

// Close ends the contexts of all that runs and waits until it has ended. It
// tells whether this was the first Close.
func (l *Life) Close() (first bool) {
	l.mu.Lock()
	first = !l.closed
	l.closed = true
	for cancel := range l.ends {
		(*cancel)()
	}
	l.mu.Unlock()
	l.running.Wait()
	return first
}
