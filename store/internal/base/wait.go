package base

import (
	"context"
	"time"
)

// Await runs f in a goroutine and returns what it returns, or the error of ctx as soon
// as ctx ends, for a client that does not honour it. f is then left to itself: a write
// may still happen. If ctx has already ended, f is not called.
func Await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// Sleep waits for d, or returns the error of ctx if that ends first.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Wake puts a token into a channel that holds one at most. It does not block.
func Wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default: // it has one
	}
}
