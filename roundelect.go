package leadership

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/format"
	"github.com/seed-a1d591d3/leadership/store"
)

// won says whether a record is of a win of this node.
func (r *Round) won(rec roundRecord) bool {
	return rec.Winner == r.node && rec.Instance == r.opts.instance
}

// elect returns the record of the round, in which there is a winner.
func (r *Round) elect(ctx context.Context) (roundRecord, error) {
	if r.err != nil {
		return roundRecord{}, r.err
	}
	var failure error
	for try := 0; ; try++ {
		var v roundView
		// Whoever lost finds the winner; and a reply may have been lost (S5).
		if try > 0 || r.shared.knows(r.key) {
			var err error
			if v, err = r.readTogether(ctx); err != nil {
				return roundRecord{}, err
			}
		}
		next, ok, err := r.bid(v)
		if (failure != nil || r.held.Load() == nil) && !ok && v.pair != nil && r.won(next) && next.Completed == nil {
			// It stands, and was not acknowledged: once more (S5).
			ok, next.Bid = true, rand.Text()
		}
		switch {
		case err != nil:
			return roundRecord{}, fmt.Errorf("leadership: key %q: %w", r.key, err)
		case !ok:
			return next, nil
		case failure != nil && (try == electTries || ctx.Err() != nil):
			return roundRecord{}, failure
		}
		start := clock.System{}.Now()
		if failure = r.write(ctx, next, v.pair); failure == nil {
			return next, r.hold(next, start)
		}
		if errors.Is(failure, ErrUnsafeStore) {
			return roundRecord{}, failure
		}
	}
}

// bid returns the record with which this node wins, and true; or, where another
// has won, or there is nothing to be changed, the one that stands.
func (r *Round) bid(v roundView) (roundRecord, bool, error) {
	mine := roundRecord{
		Winner: r.node, Instance: r.opts.instance,
		Elected: now(), TTL: r.opts.ttl.Milliseconds(),
	}
	waits := clock.System{}.Now().Mono < v.free
	switch {
	case v.pair != nil && !v.rec.open():
		return v.rec, false, nil
	case v.was.leased() && !r.won(v.was) && waits:
		return v.was, false, nil // it has vanished, but its winner may be at work (S2)
	case v.was.leased() && (v.pair == nil || mine.TTL > 0):
		mine.Attempt = v.was.attempt() + 1
		if mine.Attempt >= election.MaxToken {
			mine.Attempt = 1 // what none can follow is gone
		}
	case v.pair == nil:
	case r.won(v.rec):
		mine.Attempt, mine.Elected = v.rec.Attempt, v.rec.Elected
		if mine.TTL == 0 {
			mine.TTL = v.rec.TTL
		}
	case mine.TTL == 0 || waits:
		return v.rec, false, nil
	default:
		if mine.Attempt = v.rec.attempt() + 1; mine.Attempt >= election.MaxToken {
			return v.rec, false, fmt.Errorf("%w: no attempt can follow number %d: delete the key", ErrForeignRecord, v.rec.attempt())
		}
	}
	if mine.leased() {
		// What is written is never the same twice: rivals see each change (S2),
		// and the winner knows which of its writes has happened (S5).
		mine.Attempt, mine.Bid = mine.attempt(), rand.Text()
	}
	return mine, true, nil
}

// hold takes note of an attempt that was won by a write begun at start (S1).
func (r *Round) hold(rec roundRecord, start clock.Instant) error {
	a := win{number: rec.attempt(), start: start}
	if rec.leased() {
		a.trust = rec.ttl() - rec.ttl()/5
	}
	r.held.Store(&a)
	if rec.leased() && a.left() == 0 {
		return fmt.Errorf("leadership: elect %q: %w: attempt %d was won too late to be of use", r.key, ErrLost, a.number)
	}
	return nil
}

// read returns what there is of the round, and remembers it.
func (r *Round) read(ctx context.Context) (roundView, error) { return r.look(ctx, true) }

// peek is read for who only looks. It remembers nothing of a round that nobody has
// asked to win: else those who look had those forgotten who wait for an attempt to end.
func (r *Round) peek(ctx context.Context) (roundView, error) { return r.look(ctx, false) }

func (r *Round) look(ctx context.Context, add bool) (roundView, error) {
	if r.err != nil {
		return roundView{}, r.err
	}
	found := r.call(ctx, func(ctx context.Context) result { return get(ctx, r.kv, r.key) })
	if found.err != nil {
		return roundView{}, found.err
	}
	var rec roundRecord
	if found.pair != nil {
		var err error
		if rec, err = parseRound(found.pair.Value); err != nil {
			return roundView{}, fmt.Errorf("leadership: key %q: %w", r.key, err)
		}
	}
	return r.shared.see(r.key, found.pair, rec, clock.System{}.Now().Mono, add), nil
}

// write replaces previous by rec. After an error it may have been written.
func (r *Round) write(ctx context.Context, rec roundRecord, previous *store.KVPair) error {
	rec.Header = roundFormat
	value, err := format.Marshal(rec)
	if err != nil {
		return fmt.Errorf("leadership: put %q: %w", r.key, err)
	}
	wrote := r.call(ctx, func(ctx context.Context) result { return put(ctx, r.kv, r.key, value, previous) })
	if wrote.err != nil {
		return wrote.err
	}
	ours := bytes.Equal(wrote.pair.Value, value)
	if ours && r.shared.verified.Load() {
		r.shared.see(r.key, wrote.pair, rec, clock.System{}.Now().Mono, true)
		return nil
	}
	// Not every store returns what it wrote, and one that is not known to
	// compare and swap has to show that its indexes hold.
	v, err := r.read(ctx)
	switch {
	case err != nil:
		return err
	case v.pair == nil || !v.rec.follows(rec):
		return fmt.Errorf("leadership: put %q: %w", r.key, store.ErrKeyModified)
	case ours && bytes.Equal(v.pair.Value, value) && v.pair.LastIndex != wrote.pair.LastIndex:
		return unsafeStore(r.key, wrote.pair, v.pair)
	}
	if ours && v.pair.LastIndex == wrote.pair.LastIndex {
		r.shared.verified.Store(true)
	}
	return nil
}
