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

	Clock clock.Clock   // the default is the machine's
	Slots chan struct{} // as many calls are under way at a time as it holds; the default is 1
	Proof *Proof        // what is known of the store; the default is that of this register alone
	Reads *Reads        // shares the reads with others; the default is not to
}

// Register is one record under one key. Make it with New. It is safe for concurrent
// use.
type Register struct {
	Config
	took atomic.Int64
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
	return &Register{Config: c}
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

// Outcome is what a write has come to, where that is known.
type Outcome struct {
	// Acknowledged means that the write counts (S5).
	Acknowledged bool

	// Pair is what is under the key: what was written, or what a read has found since;
	// nil for nothing.
	Pair *store.KVPair

	// Overtaken means that the store has acknowledged a write that does not count all
	// the same: something else was found before its index was.
	Overtaken bool

	// Why is why the write does not count.
	Why error
}

// Swap replaces previous, nil for no record, by value, once. If the store does not
// acknowledge that, or has yet to show that its indexes hold, it reads what is there.
// After an error it is not known what is there; it wraps Unsafe where the store does
// not compare and swap.
func (r *Register) Swap(ctx context.Context, previous *store.KVPair, value []byte) (Outcome, error) {
	wrote, failure := Call(ctx, r, func(ctx context.Context) (*store.KVPair, error) { return r.Put(ctx, value, previous) })
	returned := failure == nil && bytes.Equal(wrote.Value, value) // not every store returns what it wrote
	if returned && r.Proof.verified() {
		return Outcome{Acknowledged: true, Pair: wrote}, nil
	}
	found, err := r.readAfter(ctx, failure)
	switch {
	case err != nil:
		return Outcome{}, err
	case failure != nil:
		return Outcome{Pair: found, Why: failure}, nil //nolint:nilerr // what became of the write is known
	case found == nil || !bytes.Equal(found.Value, value):
		return Outcome{Pair: found, Overtaken: true, Why: r.wrapped("put", store.ErrKeyModified)}, nil
	case !returned:
		return Outcome{Acknowledged: true, Pair: found}, nil
	}
	switch r.Proof.judge(wrote, found) {
	case indexes.Unsafe:
		return Outcome{}, r.unsafe(wrote, found)
	case indexes.Doubt:
		return Outcome{Pair: found, Why: r.unsafe(wrote, found)}, nil
	default:
		return Outcome{Acknowledged: true, Pair: found}, nil
	}
}

// remove is Swap for a deletion.
func (r *Register) remove(ctx context.Context, previous *store.KVPair) (Outcome, error) {
	_, failure := Call(ctx, r, func(ctx context.Context) (struct{}, error) { return struct{}{}, r.Delete(ctx, previous) })
	if failure == nil {
		return Outcome{Acknowledged: true}, nil
	}
	found, err := r.readAfter(ctx, failure)
	return Outcome{Pair: found, Why: failure}, err
}

// readAfter reads what is there after a write that failed, or is to be proved.
func (r *Register) readAfter(ctx context.Context, failure error) (*store.KVPair, error) {
	found, err := r.Read(ctx)
	if err != nil && failure != nil {
		return nil, fmt.Errorf("%w; and after it: %w", failure, err)
	}
	return found, err
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
// that is Leave, or was acknowledged. change is given what was found, nil for no
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
		var out Outcome
		if next.do == remove {
			out, err = r.remove(ctx, found)
		} else {
			out, err = r.Swap(ctx, found, next.value)
		}
		if err != nil || out.Acknowledged {
			return out.Pair, err
		}
		if !Refused(out.Why) || is(out.Pair, found) || next.do == write && out.Pair != nil && bytes.Equal(out.Pair.Value, next.value) {
			failures++ // no other write explains it
		}
		if failure == nil || !errors.Is(failure, r.Unsafe) {
			failure = out.Why
		}
		earlier, found = Unknown, out.Pair
		if out.Overtaken {
			earlier = Overtaken
		}
		if try > 1 && failures < Tries {
			r.pause(ctx)
			if found, err = r.readAfter(ctx, failure); err != nil {
				return nil, err
			}
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
