package leadership

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/register"
	"github.com/seed-a1d591d3/leadership/store"
)

// maxForgetPoll is how long Forget lets pass at most between two looks at a leader
// that may be dead.
const maxForgetPoll = time.Second

// Forget deletes the record of the election under key, for elections that are not
// used any more. It deletes by compare-and-swap, so it never deletes a term that
// began meanwhile, and never a value that is no record of an election.
//
// A vacant seat is forgotten at once. Where a record names a leader, Forget blocks,
// as a rival would: if the record, or the session that its term rides on, changes, or ctx
// ends, within its TTL, the leader lives, and Forget returns ErrHeld; otherwise the leader
// has crashed, its session is ended, and the record is deleted.
//
// What goes with the record: how the last term ended, who waits for the seat, and a
// transfer. The election may begin again: a candidate that still runs takes the
// seat at once, and those who ask find a new election. Its tokens go on rising all
// the same, for they take the Unix time in milliseconds; they do not where the clock
// of the machine that wins next is behind the last token. Then whatever checks
// tokens refuses the new leader until that clock has caught up: so forget elections
// that are done with.
//
// It returns ErrInvalidArgument, ErrNoElection where there is no record, ErrHeld,
// ErrPaused during a pause, which would be lost (Resume first), ErrForeignRecord,
// and errors of the store. After those the record may have been deleted.
func Forget(ctx context.Context, kv store.Store, key string) error {
	if err := errors.Join(checkStore(kv), checkName("key", key), checkContext(ctx)); err != nil {
		return err
	}
	f := forgetting{key: key, register: newRegister(kv, key)}
	for {
		_, err := f.register.Update(ctx, func(pair *store.KVPair, _ register.Earlier) (register.Change, error) { return f.look(ctx, pair) })
		if err == nil && f.gone {
			return nil
		}
		if err == nil {
			if err = clock.Pause(ctx, f.wait); err == nil {
				continue
			}
			err = fmt.Errorf("leadership: forget %q: %w", key, err)
		}
		if held := f.holder(); ctx.Err() != nil && held.Held() && !f.deleted && errors.Is(err, context.Cause(ctx)) {
			err = fmt.Errorf("leadership: forget %q: %w by %q, as far as can be told: %w", key, ErrHeld, held.Leader, context.Cause(ctx))
		}
		return err
	}
}

// forgetting is what Forget knows.
type forgetting struct {
	key      string
	register *register.Register
	seen     election.View[election.Record]
	deleted  bool          // by us, it may be
	gone     bool          // it is, or is to be deleted
	wait     time.Duration // before the next look
}

// holder returns the record of who may lead: that which was seen, or one that has
// vanished since; a zero one where there is none.
func (f *forgetting) holder() election.Record {
	if f.seen.Rec.Held() {
		return f.seen.Rec
	}
	return f.seen.Gone()
}

// lives reports whether the holder of a record has renewed it, or the session that it rides on,
// since before was read; or another has taken the seat.
func lives(before, rec election.Record) bool {
	if !rec.Held() || rec.Ended() {
		return false
	}
	return rec.Token != before.Token || rec.Beat != before.Beat ||
		rec.Ride != nil && rec.Ride.Pair != nil && (before.Ride == nil || rec.Ride.Rec.Beat != before.Ride.Rec.Beat)
}

// look looks at the record, and has it deleted where it may be. The session that a dead
// leader's term rides on is ended first (S11): until then it may be renewed, though the
// record stays as it is.
func (f *forgetting) look(ctx context.Context, pair *store.KVPair) (register.Change, error) {
	found := readRide(ctx, f.register, pair, nil)
	now, before, held := clock.System{}.Now(), f.seen, f.holder().Held()
	f.gone = false
	switch {
	case found.err != nil:
		return register.Leave, found.err
	case found.foreign != nil:
		return register.Leave, fmt.Errorf("leadership: forget %q: %w", f.key, found.foreign)
	case pair == nil && f.deleted:
		f.gone = true
		return register.Leave, nil
	case pair == nil && !held:
		return register.Leave, fmt.Errorf("leadership: forget %q: %w", f.key, ErrNoElection)
	}
	f.seen.See(pair, found.rec, now.Mono)
	rec, left := found.rec, f.seen.Left(now.Mono)
	// A new term must not begin in the millisecond that the last token is of.
	ahead := time.UnixMilli(int64(rec.Token) + 1).Sub(now.Time())
	switch {
	case rec.Ask.Pauses():
		return register.Leave, fmt.Errorf("leadership: forget %q: %w", f.key, ErrPaused)
	case before.Known && lives(before.Rec, rec):
		return register.Leave, fmt.Errorf("leadership: forget %q: %w by %q", f.key, ErrHeld, rec.Leader)
	case left > 0:
		f.wait = min(left, max(f.holder().TTL()/20, time.Millisecond), maxForgetPoll)
		return register.Leave, nil
	case ahead > 0 && ahead < maxForgetPoll:
		f.wait = ahead
		return register.Leave, nil
	case rec.Session != "" && !rec.Ended():
		f.wait = 0 // before a look at what has come of it
		_, err := endRide(ctx, f.register, rec)
		return register.Leave, err
	}
	if f.gone = true; pair == nil { // its holder, who may have written it again, has not
		return register.Leave, nil
	}
	f.deleted = true
	return register.Delete, nil
}
