// Package register keeps one record under one key of a store, changed by
// compare-and-swap alone, for callers who wait. Calls are bounded, and not repeated
// while they have not returned (S6); only a write that was acknowledged counts (S5); a
// store has to show that its indexes hold (S10).
package register

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/indexes"
	"github.com/seed-a1d591d3/leadership/store"
)

const (
	// Tries is how often a write may fail, or be refused though the record did not
	// change, before its caller is told.
	Tries = 3

	// Pause is how long to wait at most, at random, before a write is tried for the
	// third time, and so on.
	Pause = 20 * time.Millisecond
)

// Config is what a register is made of. All but Place, Timeout and Unsafe have a
// default.
type Config struct {
	Place
	Timeout time.Duration // how long one call is waited for
	Unsafe  error         // what errors about a store that does not compare and swap wrap

	// Limit, if not nil, returns how long the next call is waited for, in place of
	// Timeout. took is how long the store takes, at most, by the last calls.
	Limit func(took time.Duration) time.Duration

	Clock  clock.Clock   // the default is the machine's
	Slots  chan struct{} // as many calls are under way at a time as it holds; the default is 1
	Shared chan struct{} // likewise for all registers that have it; the default is no such bound
	Proof  *Proof        // what is known of the store; the default is that of this register alone
	Reads  *Reads        // shares the reads with others; the default is not to
}

// Register is one record under one key. Make it with New. It is safe for concurrent
// use.
type Register struct {
	Config
	inTime bool            // calls need no goroutine of their own
	slots  []chan struct{} // a call takes one of each
	took   atomic.Int64
}

// New makes a register. It makes no call of the store.
func New(c Config) *Register {
	if c.Clock == nil {
		c.Clock = clock.System{}
	}
	if c.Slots == nil {
		c.Slots = make(chan struct{}, 1)
	}
	if c.Proof == nil {
		c.Proof = new(Proof)
	}
	slots := []chan struct{}{c.Slots}
	if c.Shared != nil {
		slots = append(slots, c.Shared)
	}
	return &Register{Config: c, inTime: store.ReturnsInTime(c.Store), slots: slots}
}

// At returns a register of another key, that shares all else with r: the calls under way, too.
func (r *Register) At(key string) *Register {
	other := &Register{Config: r.Config, inTime: r.inTime, slots: r.slots}
	other.Key = key
	other.took.Store(r.took.Load())
	return other
}

// Proof is an indexes.Proof that is safe for concurrent use: registers of one store
// share it.
type Proof struct {
	mu    sync.Mutex
	proof indexes.Proof
}

func (p *Proof) verified() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.proof.Verified()
}

func (p *Proof) judge(wrote, found *store.KVPair) indexes.Verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.proof.Judge(wrote, found)
}

// Read returns the pair under the key, nil if there is none. What it returns was read
// after the call.
func (r *Register) Read(ctx context.Context) (*store.KVPair, error) {
	get := func() (*store.KVPair, error) { return Call(ctx, r, r.Get) }
	if r.Reads == nil {
		return get()
	}
	return r.Reads.get(ctx, r.Key, r.Timeout, get)
}

// ReadWith is Read of the pair, and of that under another key, by one call.
func (r *Register) ReadWith(ctx context.Context, key string) (pair, other *store.KVPair, err error) {
	both, err := Call(ctx, r, func(ctx context.Context) ([]*store.KVPair, error) {
		pairs, err := store.GetMany(ctx, r.Store, []string{r.Key, key})
		return pairs, r.wrapped("get", err)
	})
	if err != nil {
		return nil, nil, err
	}
	return both[0], both[1], nil
}

// outcome is what a write has come to, where that is known.
type outcome struct {
	acknowledged bool          // it counts (S5)
	pair         *store.KVPair // what is there: what was written, or found since; nil for nothing
	overtaken    bool          // it was acknowledged, and something else was found before its index was
	why          error         // it does not count
}

// write puts a change in place of previous, nil for no record, once. If the store does not
// acknowledge that, or has yet to show that its indexes hold, it reads what is there; if
// the change failed, after a pause where there is to be one. After an error it is not
// known what is there; it wraps Unsafe where the store does not compare and swap.
func (r *Register) write(ctx context.Context, previous *store.KVPair, next Change, pauses bool) (outcome, error) {
	wrote, failure := Call(ctx, r, func(ctx context.Context) (*store.KVPair, error) {
		if next.do == remove {
			return nil, r.Delete(ctx, previous)
		}
		return r.Put(ctx, next.value, previous)
	})
	if failure == nil && next.do == remove {
		return outcome{acknowledged: true}, nil
	}
	returned := failure == nil && bytes.Equal(wrote.Value, next.value) // not every store returns what it wrote
	if returned && r.Proof.verified() {
		return outcome{acknowledged: true, pair: wrote}, nil
	}
	if failure != nil && pauses {
		r.pause(ctx)
	}
	found, err := r.Read(ctx)
	switch {
	case err != nil && failure != nil:
		return outcome{}, fmt.Errorf("%w; and after it: %w", failure, err)
	case err != nil:
		return outcome{}, err
	case failure != nil:
		return outcome{pair: found, why: failure}, nil //nolint:nilerr // what became of the write is known
	case found == nil || !bytes.Equal(found.Value, next.value):
		return outcome{pair: found, overtaken: true, why: r.wrapped("put", store.ErrKeyModified)}, nil
	}
	wrote = &store.KVPair{Key: r.Key, Value: next.value, LastIndex: wrote.LastIndex}
	switch r.Proof.judge(wrote, found) {
	case indexes.Unsafe:
		return outcome{}, r.unsafe(wrote, found)
	case indexes.Doubt:
		return outcome{pair: found, why: r.unsafe(wrote, found)}, nil
	default:
		return outcome{acknowledged: true, pair: found}, nil
	}
}

func (r *Register) unsafe(wrote, found *store.KVPair) error {
	return fmt.Errorf("%s: put %q: %w: %s", r.Package, r.Key, r.Unsafe, indexes.Explain(wrote, found))
}

// Change is what to do to a record.
type Change struct {
	do    action
	value []byte
}

type action int

const (
	leave action = iota
	write
	remove
)

var (
	// Leave leaves the record as it is.
	Leave = Change{do: leave}

	// Delete deletes the record, which must be there.
	Delete = Change{do: remove}
)

// Write replaces the record by value.
func Write(value []byte) Change { return Change{write, value} }

// Earlier is what has become of the last write of an Update.
type Earlier int

const (
	// None means that there was none.
	None Earlier = iota

	// Unknown means that it may have happened or not. If what was found shows that it
	// did, that is to be written once more, and not to be believed: it may yet be
	// taken back (S5).
	Unknown

	// Overtaken means that it was acknowledged, and that something else was found
	// before the store had shown that its indexes hold.
	Overtaken
)

// Update reads the record, and does with it what change returns, again and again until
// that is Leave, or was acknowledged. change is given all that was found, nil for no
// record, right after it was read, and is called right before the write; no two values
// that it returns may be alike. Update returns what is there: what was acknowledged, or
// left.
//
// An error is that of change, of a read, or of the last write; after that it is not
// known whether the write stands. A write that was refused because another came first
// is tried again as often as it takes.
func (r *Register) Update(ctx context.Context, change func(found *store.KVPair, earlier Earlier) (Change, error)) (*store.KVPair, error) {
	found, err := r.Read(ctx)
	if err != nil {
		return nil, err
	}
	return r.UpdateFrom(ctx, found, change)
}

// UpdateFrom is Update for a caller who has seen found, nil for no record: it spares the
// first read. If that is not what is there, nothing is written before that has been read.
func (r *Register) UpdateFrom(ctx context.Context, found *store.KVPair, change func(found *store.KVPair, earlier Earlier) (Change, error)) (*store.KVPair, error) {
	var failure error
	earlier := None
	for try, failures := 1, 0; ; try++ {
		next, err := change(found, earlier)
		switch {
		case err != nil:
			return nil, err
		case next.do == leave:
			return found, nil
		case failures == Tries:
			return nil, failure
		case failure != nil && ctx.Err() != nil && !errors.Is(failure, context.Cause(ctx)):
			return nil, fmt.Errorf("%w: %w", failure, context.Cause(ctx))
		case failure != nil && ctx.Err() != nil:
			return nil, failure
		}
		out, err := r.write(ctx, found, next, try > 1)
		if err != nil || out.acknowledged {
			return out.pair, err
		}
		if !Refused(out.why) || is(out.pair, found) || next.do == write && out.pair != nil && bytes.Equal(out.pair.Value, next.value) {
			failures++ // no other write explains it
		}
		if failure == nil || !errors.Is(failure, r.Unsafe) {
			failure = out.why
		}
		earlier, found = Unknown, out.pair
		if out.overtaken {
			earlier = Overtaken
		}
	}
}

// is reports whether two reads of a key have found the same write: no two have one
// value, whatever indexes a store shows.
func is(a, b *store.KVPair) bool {
	return a == nil && b == nil || a != nil && b != nil && bytes.Equal(a.Value, b.Value)
}

// pause lets others come first.
func (r *Register) pause(ctx context.Context) {
	timer := time.NewTimer(time.Duration(r.Clock.Float64() * float64(Pause)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
