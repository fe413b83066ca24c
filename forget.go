package leadership

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
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
// as a rival would: if the record changes, or ctx ends, within its TTL, the leader
// lives, and Forget returns ErrHeld; otherwise the leader has crashed, and the record
// is deleted.
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
	f := forgetting{kv: kv, caller: newCaller(key, DefaultCallTimeout)}
	for {
		wait, err := f.step(ctx)
		if errors.Is(err, errForgotten) {
			return nil
		}
		if err == nil {
			if err = pause(ctx, wait); err == nil {
				continue
			}
			err = fmt.Errorf("leadership: forget %q: %w", key, err)
		}
		if ctx.Err() != nil && f.seen.Rec.Held() && !f.deleted && errors.Is(err, context.Cause(ctx)) {
			err = fmt.Errorf("leadership: forget %q: %w by %q, as far as can be told: %w", key, ErrHeld, f.seen.Rec.Leader, context.Cause(ctx))
		}
		return err
	}
}

// errForgotten says that a record is gone.
var errForgotten = errors.New("forgotten")

// forgetting is what Forget knows.
type forgetting struct {
	kv      store.Store
	caller  caller
	seen    sight
	deleted bool // by us, it may be
	tries   int  // to delete the record that is there
}

// step looks, and deletes the record where it may. It returns how long to wait
// before the next look.
func (f *forgetting) step(ctx context.Context) (time.Duration, error) {
	key := f.caller.key
	found := f.caller.call(ctx, func(ctx context.Context) result { return look(ctx, f.kv, key) })
	now := clock.System{}.Now()
	before := f.seen
	switch {
	case found.err != nil:
		return 0, found.err
	case found.foreign != nil:
		return 0, fmt.Errorf("leadership: forget %q: %w", key, found.foreign)
	case found.pair == nil && f.deleted:
		return 0, errForgotten
	case found.pair == nil && !before.Rec.Held():
		return 0, fmt.Errorf("leadership: forget %q: %w", key, ErrNoElection)
	}
	if f.seen.see(found.pair, found.rec, now.Mono) {
		f.tries = 0
	}
	rec, left := found.rec, f.seen.Left(now.Mono)
	// A new term must not begin in the millisecond that the last token is of.
	ahead := time.UnixMilli(int64(rec.Token) + 1).Sub(now.Time())
	switch {
	case rec.Ask.Pauses():
		return 0, fmt.Errorf("leadership: forget %q: %w", key, ErrPaused)
	case before.Known && rec.Held() && (rec.Token != before.Rec.Token || rec.Beat != before.Rec.Beat):
		return 0, fmt.Errorf("leadership: forget %q: %w by %q", key, ErrHeld, rec.Leader)
	case left > 0:
		return min(left, max(rec.TTL()/20, time.Millisecond), maxForgetPoll), nil
	case ahead > 0 && ahead < maxForgetPoll:
		return ahead, nil
	case found.pair == nil:
		return 0, errForgotten // its holder, who may have written it again, has not
	}
	gone := f.caller.call(ctx, func(ctx context.Context) result {
		ok, err := f.kv.AtomicDelete(ctx, key, found.pair)
		if err == nil && !ok {
			err = store.ErrKeyModified
		}
		if err != nil {
			err = storeError("delete", key, err)
		}
		return result{err: err}
	})
	if gone.err == nil {
		return 0, errForgotten
	}
	// Another write came first, or it has happened and the answer was lost.
	if f.deleted, f.tries = true, f.tries+1; f.tries > refusals {
		return 0, gone.err
	}
	return rand.N(askPause), nil
}
