package leadership

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/store"
)

// call is one call of the store under way, in a goroutine of its own: it may
// go on for as long as the store likes, and nobody is held up by it (S6).
type call struct {
	op     string
	start  clock.Instant   // read before the call was made (S1)
	until  time.Duration   // the deadline on the monotonic clock
	puts   bool            // it is no read
	rec    election.Record // what it puts
	late   bool            // reported as late
	held   time.Duration   // for how long this process was held up meanwhile
	cancel context.CancelFunc
	result chan result // gets exactly one
}

// result is what a call has come to. Records are encoded and decoded by the
// goroutine of the call: it is gone by the next turn, and so is the large stack that
// they need.
type result struct {
	pair  *store.KVPair // nil after a read: there is no record
	err   error
	wrote []byte // what was to be put

	rec     election.Record // that a look found
	foreign error           // why that is none
}

// get reads the pair under key.
func get(ctx context.Context, kv store.Store, key string) result {
	pair, err := kv.Get(ctx, key, &store.ReadOptions{Consistent: true})
	if errors.Is(err, store.ErrKeyNotFound) {
		return result{}
	}
	if err != nil {
		return result{err: storeError("get", key, err)}
	}
	return result{pair: pair}
}

// look is get for a record of an election.
func look(ctx context.Context, kv store.Store, key string) result {
	r := get(ctx, kv, key)
	if r.pair != nil {
		r.rec, r.foreign = parse(r.pair.Value)
	}
	return r
}

// put replaces previous by value. An error says that it may have happened or
// not: not every store tells that apart.
func put(ctx context.Context, kv store.Store, key string, value []byte, previous *store.KVPair) result {
	ok, pair, err := kv.AtomicPut(ctx, key, value, previous, nil)
	if err == nil && (!ok || pair == nil) {
		err = store.ErrKeyModified
	}
	if err != nil {
		return result{err: storeError("put", key, err)}
	}
	return result{pair: pair}
}

// refused says whether a put that failed with err lost against another write,
// rather than against a fault.
func refused(err error) bool {
	return errors.Is(err, store.ErrKeyModified) || errors.Is(err, store.ErrKeyExists) || errors.Is(err, store.ErrKeyNotFound)
}

// noAnswer is why a call is given up after that time: a context.DeadlineExceeded.
type noAnswer time.Duration

func (d noAnswer) Error() string {
	return fmt.Sprintf("%v: no answer within %v", context.DeadlineExceeded, rounded(time.Duration(d)))
}

func (noAnswer) Unwrap() error { return context.DeadlineExceeded }

// heldUp is by how much a timer may be late before this process is to blame for what
// it ended, and not the store: it was stopped, or had no time to run.
const heldUp = 250 * time.Millisecond

// errHeldUp adds to an error that this process was held up for so long.
func errHeldUp(err error, d time.Duration) error {
	return fmt.Errorf("%w; this process was stopped, or had no time to run, for %v of it", err, rounded(d))
}

// timedOut adds to an error of a call that was given up after which time, where
// the store does not tell.
func timedOut(ctx context.Context, err error) error {
	var told, d noAnswer
	if err == nil || errors.As(err, &told) || !errors.Is(err, context.DeadlineExceeded) || !errors.As(context.Cause(ctx), &d) {
		return err
	}
	return fmt.Errorf("%w: no answer within %v", err, rounded(time.Duration(d)))
}

// inTime makes a call, and says of an error that its time was over, if it was, and
// whether this process was held up.
func inTime(ctx context.Context, f func(context.Context) result) result {
	late := make(chan time.Duration, 1)
	stop := context.AfterFunc(ctx, func() {
		end, _ := ctx.Deadline()
		late <- time.Since(end)
	})
	r := f(ctx)
	if stop() || !errors.Is(r.err, context.DeadlineExceeded) {
		return r
	}
	r.err = timedOut(ctx, r.err)
	if d := <-late; d > heldUp { // a context ends in time, but where this process does not run
		r.err = errHeldUp(r.err, d)
	}
	return r
}

// caller makes calls for one who waits for them, one at a time: a call that has
// not returned is not repeated on top of itself (S6). It is safe for concurrent
// use.
type caller struct {
	key     string
	timeout time.Duration
	slot    chan struct{} // held by the one call under way
}

func newCaller(key string, timeout time.Duration) caller {
	return caller{key, timeout, make(chan struct{}, 1)}
}

// call makes a call once the one before has returned, and waits for it, but no
// longer than ctx lasts, nor than the timeout. A call that does not return by
// then is left to itself.
func (c caller) call(ctx context.Context, f func(context.Context) result) result {
	return c.callFor(ctx, c.timeout, f)
}

// callFor is call with another timeout.
func (c caller) callFor(ctx context.Context, timeout time.Duration, f func(context.Context) result) result {
	if err := checkContext(ctx); err != nil {
		return result{err: err}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, noAnswer(timeout))
	defer cancel()
	select {
	case c.slot <- struct{}{}:
	case <-ctx.Done():
		return result{err: fmt.Errorf("leadership: key %q: an earlier call of the store has not returned: %w", c.key, context.Cause(ctx))}
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-c.slot }()
		done <- f(ctx)
	}()
	return inTime(ctx, func(ctx context.Context) result {
		select {
		case r := <-done:
			return r
		case <-ctx.Done():
			return result{err: fmt.Errorf("leadership: key %q: %w", c.key, context.Cause(ctx))}
		}
	})
}

// list is call for the pairs below a directory; none where there is no directory.
func (c caller) list(ctx context.Context, kv store.Store, directory string) ([]*store.KVPair, error) {
	var pairs []*store.KVPair
	listed := c.call(ctx, func(ctx context.Context) result {
		found, err := kv.List(ctx, directory, &store.ReadOptions{Consistent: true})
		if err != nil && !errors.Is(err, store.ErrKeyNotFound) {
			return result{err: storeError("list", directory, err)}
		}
		pairs = found
		return result{}
	})
	if listed.err != nil {
		return nil, listed.err // pairs may yet be written to
	}
	return pairs, nil
}

// unsafeStore says what gave a store away, and what to do (S10).
func unsafeStore(key string, wrote, found *store.KVPair) error {
	return fmt.Errorf("leadership: put %q: %w: it does not compare and swap: the write returned index %d and a read finds %d "+
		"(kvtools' Redis store does so with its default codec: make it with NewWithCodec and JSONCodec)",
		key, ErrUnsafeStore, wrote.LastIndex, found.LastIndex)
}
