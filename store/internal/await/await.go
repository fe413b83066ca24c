// Package await holds clients to contexts that they do not honour.
package await

import "context"

// Call runs f in a goroutine and returns what it returns, or the error of ctx
// as soon as that has ended. f is then left to itself: a write may still happen.
// f is not called if ctx has ended before.
func Call[T any](ctx context.Context, f func() (T, error)) (T, error) {
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
