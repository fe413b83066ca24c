package register

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
)

// NoAnswer is why a call is given up after that time: a context.DeadlineExceeded.
type NoAnswer time.Duration

func (d NoAnswer) Error() string {
	return fmt.Sprintf("%v: no answer within %v", context.DeadlineExceeded, clock.About(time.Duration(d)))
}

// Unwrap returns context.DeadlineExceeded.
func (NoAnswer) Unwrap() error { return context.DeadlineExceeded }

// HeldUp is by how much a timer may be late before this process is to blame for what
// it ended, and not the store: it was stopped, or had no time to run.
const HeldUp = 250 * time.Millisecond

// InTime makes a call, and adds to an error of a call that was given up how long it was
// waited for, and whether this process was held up.
func InTime[T any](ctx context.Context, call func(context.Context) (T, error)) (T, error) {
	late := make(chan time.Duration, 1)
	stop := context.AfterFunc(ctx, func() { late <- overdue(ctx) })
	v, err := call(ctx)
	if stop() || !errors.Is(err, context.DeadlineExceeded) {
		return v, err
	}
	return v, explained(ctx, err, <-late)
}

// overdue returns how long ago the deadline of ctx was.
func overdue(ctx context.Context) time.Duration {
	end, _ := ctx.Deadline()
	return time.Since(end)
}

// explained adds to the error of a call that was given up at the end of ctx what InTime
// says. late is by how much that end came too late.
func explained(ctx context.Context, err error, late time.Duration) error {
	var told, within NoAnswer
	if !errors.As(err, &told) && errors.As(context.Cause(ctx), &within) { // the store does not tell
		err = fmt.Errorf("%w: no answer within %v", err, clock.About(time.Duration(within)))
	}
	if late > HeldUp { // a context ends in time, but where this process does not run
		err = fmt.Errorf("%w; this process was stopped, or had no time to run, for %v of it", err, clock.About(late))
	}
	return err
}

// Within is context.WithTimeoutCause, and returns ctx itself where that ends sooner.
func Within(ctx context.Context, limit time.Duration, cause error) (context.Context, context.CancelFunc) {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= limit {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, limit, cause)
}

// Call makes a call of the store for one who waits for it, but no longer than ctx
// lasts, nor than the register waits for a call. A call that does not return by then is
// left to itself, and keeps its slot until it does: no call is repeated on top of it
// (S6).
func Call[T any](ctx context.Context, r *Register, call func(context.Context) (T, error)) (T, error) {
	limit, began := r.Timeout, time.Duration(0)
	if r.Limit != nil {
		limit, began = r.Limit(time.Duration(r.took.Load())), r.Clock.Now().Mono
	}
	ctx, cancel := Within(ctx, limit, NoAnswer(limit))
	defer cancel()
	var none T
	if ctx.Err() != nil {
		return none, fmt.Errorf("%s: key %q: %w", r.Package, r.Key, context.Cause(ctx))
	}
	for i, free := range r.slots {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			release(r.slots[:i])
			return none, fmt.Errorf("%s: key %q: an earlier call of the store has not returned: %w", r.Package, r.Key, context.Cause(ctx))
		}
	}
	v, err := answer(ctx, r, call)
	switch {
	case err == nil && r.Limit != nil:
		r.took.Store(max(int64(r.Clock.Now().Mono-began), r.took.Load()/2))
	case ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded):
		err = explained(ctx, err, overdue(ctx))
	}
	return v, err
}

// answer makes a call in slots that the caller has taken, and returns when it does, or ctx
// ends. The slots are free again when the call has returned.
func answer[T any](ctx context.Context, r *Register, call func(context.Context) (T, error)) (T, error) {
	ended := func() error { return fmt.Errorf("%s: key %q: %w", r.Package, r.Key, context.Cause(ctx)) }
	if r.inTime {
		defer release(r.slots)
		v, err := call(ctx)
		if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			err = ended()
		}
		return v, err
	}
	type answer struct {
		v   T
		err error
	}
	done := make(chan answer, 1)
	go func() {
		defer release(r.slots)
		v, err := call(ctx)
		done <- answer{v, err}
	}()
	select {
	case a := <-done:
		return a.v, a.err
	case <-ctx.Done():
		var none T
		return none, ended()
	}
}

func release(slots []chan struct{}) {
	for _, s := range slots {
		<-s
	}
}
