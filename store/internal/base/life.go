package base

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/seed-a1d591d3/leadership/store"
)

// Life is the time from the creation of a store to its Close, and owns the goroutines
// that run in it. The zero value is ready for use. All methods are safe for concurrent
// use.
type Life struct {
	closed atomic.Bool // set with mu held

	mu      sync.Mutex
	ends    map[*context.CancelFunc]struct{}
	running sync.WaitGroup
}

// Check returns the error of ctx if ctx has ended, store.ErrClosed if the store is
// closed, and nil otherwise.
func (l *Life) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.closed.Load() {
		return store.ErrClosed
	}
	return nil
}

// Go runs f in a goroutine, with a context that ends with ctx or at Close, which waits
// for f. Where Check would return an error Go returns it, and does not run f.
func (l *Life) Go(ctx context.Context, f func(ctx context.Context)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.Check(ctx); err != nil {
		return err
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

// Close cancels the contexts of all that runs and waits until it has returned. It
// reports whether this was the first Close.
func (l *Life) Close() (first bool) {
	l.mu.Lock()
	first = !l.closed.Swap(true)
	for cancel := range l.ends {
		(*cancel)()
	}
	l.mu.Unlock()
	l.running.Wait()
	return first
}
