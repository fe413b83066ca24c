package leadership

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/register"
	"github.com/seed-a1d591d3/leadership/store"
)

// Action is what an operator asks of an election.
type Action string

// The actions.
const (
	// Resign has the leader resign. Anyone but it may win, as after
	// Candidate.Resign.
	Resign Action = "resign"

	// Transfer has the leader resign, and the others leave the seat to one
	// node for a while. Where that node leads already it stays.
	Transfer Action = "transfer"

	// Pause has nobody take the seat until Resume.
	Pause Action = "pause"

	// Resume ends a pause, and withdraws a request that has not been obeyed.
	Resume Action = "resume"
)

const (
	// DefaultHold is how long a seat is held for the node that it is
	// transferred to.
	DefaultHold = 15 * time.Second

	// MaxHold is the longest that it can be.
	MaxHold = 10 * time.Minute
)

// Request is what an operator asks of an election.
type Request struct {
	Action Action

	// To is the node that a Transfer goes to; it must be empty otherwise.
	To string

	// Hold is how long the others leave the seat of a Transfer to that node,
	// each from when it sees it vacant; then anyone may win. 0 means
	// DefaultHold; MaxHold at most.
	Hold time.Duration

	// Keep has a Pause leave the present leader in the seat, and only keep
	// others from taking it afterwards.
	Keep bool

	// Create has a Transfer or a Pause begin an election that does not exist,
	// for candidates to come. Without it, that is ErrNoElection.
	Create bool

	// By is who asks, for people who read the record or the log. It may be
	// empty.
	By string
}

// asked returns why a leader of that node is to go, and who asked for it, or nil if it
// may stay. a may be nil.
func asked(a *election.Request, node string) error {
	why := a.ReasonToGo(node)
	switch {
	case why == "":
		return nil
	case why == election.Transferred && a.By != "":
		return fmt.Errorf("%w to %q, as %q asked", ErrTransferred, a.To, a.By)
	case why == election.Transferred:
		return fmt.Errorf("%w to %q", ErrTransferred, a.To)
	case a.By != "":
		return fmt.Errorf("%w: %q asked it to %s", ErrEvicted, a.By, a.Do)
	}
	return fmt.Errorf("%w: it was asked to %s", ErrEvicted, a.Do)
}

// check says what is wrong with a request.
func (r *Request) check() error {
	switch r.Action {
	case Resign, Transfer, Pause, Resume:
	default:
		return invalid("action", fmt.Sprintf("%q", r.Action), "must be %s, %s, %s or %s", Resign, Transfer, Pause, Resume)
	}
	switch {
	case r.Action == Transfer:
		if err := checkName("node to transfer to", r.To); err != nil {
			return err
		}
	case r.To != "":
		return invalid("node to transfer to", fmt.Sprintf("%q", r.To), "must be empty for %s", r.Action)
	case r.Keep && r.Action != Pause:
		return invalid("keep", r.Keep, "is for %s only, not %s", Pause, r.Action)
	case r.Create && r.Action != Pause && r.Action != Transfer:
		return invalid("create", r.Create, "is for %s and %s only, not %s", Transfer, Pause, r.Action)
	case r.Hold != 0:
		return invalid("hold", r.Hold, "is for %s only, not %s", Transfer, r.Action)
	}
	if r.Hold == 0 {
		r.Hold = DefaultHold
	}
	if r.Hold < time.Millisecond || r.Hold > MaxHold {
		return invalid("hold", r.Hold, "must be from 1ms to %v", MaxHold)
	}
	return nil
}

// Ask asks something of the election under key, from any process with the same
// store. It writes the request into the record, in place of one that has not been
// obeyed yet: the latest request counts. It blocks until the request has been obeyed:
//
//   - Resign, and Pause without Keep: the leader has given up its seat, once its work
//     has returned, where that is in Run, or its claim has run out, where it has
//     crashed;
//   - Transfer: the node leads. Where another takes the seat, or nobody has at the
//     end of Hold, counted from the vacancy, and a little more, it returns
//     ErrNotTransferred, and the message says who leads;
//   - Resume, and Pause with Keep: the request is written.
//
// A leader obeys as soon as it sees the request, by its watch or at its next renewal.
//
// At the end of ctx Ask returns its cause, with ErrNotObeyed where the request
// is written and may be obeyed later; ErrReplaced where a later request has taken its
// place. It returns ErrInvalidArgument, ErrForeignRecord, ErrNoElection where there is
// no record and r.Create is false, ErrNoLeader for Resign where nobody leads, ErrPaused
// for Resign and Transfer during a pause, and errors of the store.
func Ask(ctx context.Context, kv store.Store, key string, r Request) error {
	if err := errors.Join(checkStore(kv), checkName("key", key), r.check()); err != nil {
		return err
	}
	if err := checkContext(ctx); err != nil {
		return err
	}
	asked, err := r.write(ctx, kv, key)
	if err != nil || r.Keep || r.Action == Resume {
		return err
	}
	w := waiting{request: r, key: key, asked: asked}
	return w.wait(ctx, kv)
}

// write writes the request into the record. It returns the record that asks it.
func (r *Request) write(ctx context.Context, kv store.Store, key string) (asked election.Record, err error) {
	_, err = newRegister(kv, key).Update(ctx, func(pair *store.KVPair, earlier register.Earlier) (register.Change, error) {
		if earlier == register.Overtaken {
			return register.Leave, nil // it is written, and may have been obeyed already
		}
		rec, write, err := r.asking(parsed(pair, nil), earlier)
		if err != nil {
			return register.Leave, fmt.Errorf("leadership: ask %q to %s: %w", key, r.Action, err)
		}
		if asked = rec; !write {
			return register.Leave, nil
		}
		return register.Write(rec.Encode()), nil
	})
	return asked, err
}

// asking returns the record with the request in it, and whether it has to be
// written. A request of its own that it finds may yet be taken back: it is written once
// more (S5).
func (r *Request) asking(found result, earlier register.Earlier) (rec election.Record, write bool, err error) {
	rec = found.rec
	switch {
	case found.foreign != nil:
		return rec, false, found.foreign
	case found.pair == nil && r.Action == Resign:
		return rec, false, fmt.Errorf("%w: %w", ErrNoLeader, ErrNoElection)
	case found.pair == nil && !r.Create:
		return rec, false, ErrNoElection
	case found.pair == nil:
		rec = election.Record{Token: 1} // below that of a record that vanished
	}
	switch {
	case r.Action == Resume:
		write, rec.Ask = rec.Ask != nil, nil
		return rec, write, nil
	case (r.Action == Resign || r.Action == Transfer) && rec.Ask.Pauses():
		return rec, false, ErrPaused
	case r.Action == Resign && !rec.Held():
		return rec, false, ErrNoLeader
	}
	next := election.Request{Do: election.Action(r.Action), To: r.To, Keep: r.Keep, By: strings.ToValidUTF8(r.By, "\uFFFD"), At: time.Now().UTC().Truncate(time.Millisecond)}
	if r.Action == Transfer {
		next.Millis = r.Hold.Milliseconds()
	}
	// Each change is one from which rivals wait anew (S2): were it written again and
	// again, they would wait for a dead leader for ever.
	if rec.Held() && next.Repeats(rec.Ask) && earlier == register.None {
		return rec, false, nil
	}
	rec.Ask = &next
	return rec, true, nil
}
