package leadership

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/format"
	"github.com/seed-a1d591d3/leadership/internal/register"
	"github.com/seed-a1d591d3/leadership/store"
)

// won says whether a record is of a win of this node.
func (r *Round) won(rec roundRecord) bool {
	return rec.Winner == r.node && rec.Instance == r.opts.instance
}

// ready returns what is wrong with the arguments.
func (r *Round) ready(ctx context.Context) error { return errors.Join(r.err, checkContext(ctx)) }

// elect returns the record of the round, in which there is a winner.
func (r *Round) elect(ctx context.Context) (roundRecord, error) {
	if err := r.ready(ctx); err != nil {
		return roundRecord{}, err
	}
	var rec roundRecord
	var start clock.Instant
	wrote, guess := false, !r.shared.knows(r.key)
	change := func(pair *store.KVPair, earlier register.Earlier) (register.Change, error) {
		var v roundView
		var err error
		if !guess || earlier != register.None {
			v, err = r.saw(pair, true)
		}
		if err != nil {
			return register.Leave, err
		}
		if rec, wrote, err = r.bid(v); err != nil {
			return register.Leave, fmt.Errorf("leadership: key %q: %w", r.key, err)
		}
		if !wrote && (earlier != register.None || r.held.Load() == nil) && pair != nil && r.won(rec) && rec.Completed == nil {
			// It stands, and was not acknowledged: once more (S5).
			wrote, rec.Bid = true, rand.Text()
		}
		if !wrote {
			return register.Leave, nil
		}
		start = clock.System{}.Now() // before the write (S1)
		return rec.change()
	}
	var pair *store.KVPair
	var err error
	if guess { // most likely it is new
		pair, err = r.register.UpdateFrom(ctx, nil, change)
	} else {
		pair, err = r.register.Update(ctx, change)
	}
	if err != nil || !wrote {
		return rec, err
	}
	if _, err := r.saw(pair, true); err != nil {
		return rec, err
	}
	return rec, r.hold(rec, start)
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
	if err := r.ready(ctx); err != nil {
		return roundView{}, err
	}
	pair, err := r.register.Read(ctx)
	if err != nil {
		return roundView{}, err
	}
	return r.saw(pair, add)
}

// saw takes note of what a call that has just returned has shown (S2).
func (r *Round) saw(pair *store.KVPair, add bool) (roundView, error) {
	var rec roundRecord
	if pair != nil {
		var err error
		if rec, err = parseRound(pair.Value); err != nil {
			return roundView{}, fmt.Errorf("leadership: key %q: %w", r.key, err)
		}
	}
	return r.shared.see(r.key, pair, rec, clock.System{}.Now().Mono, add), nil
}

// change has the record written.
func (r roundRecord) change() (register.Change, error) {
	r.Header = roundFormat
	value, err := format.Marshal(r)
	return register.Write(value), err
}
