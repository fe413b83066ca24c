package leadership

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
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
//     has returned, where that is in Run, or its claim, or session, has run out, where it
//     has crashed;
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
	of := newRegister(kv, key)
	_, err = of.Update(ctx, func(pair *store.KVPair, earlier register.Earlier) (register.Change, error) {
		if earlier == register.Overtaken {
			return register.Leave, nil // it is written, and may have been obeyed already
		}
		found := readRide(ctx, of, pair, nil)
		if found.err != nil {
			return register.Leave, found.err
		}
		rec, write, err := r.asking(found, asked.Ask)
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

// asking returns the record with the request in it, and whether it has to be written. mine
// is what was written before, or nil: where that is found it may yet be taken back, and is
// written once more (S5).
func (r *Request) asking(found result, mine *election.Request) (rec election.Record, write bool, err error) {
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
	case r.Action == Resign && (!rec.Held() || rec.Ended()):
		return rec, false, ErrNoLeader
	}
	next := election.Request{Do: election.Action(r.Action), To: r.To, Keep: r.Keep, By: strings.ToValidUTF8(r.By, "\uFFFD"), At: moment()}
	if r.Action == Transfer {
		next.Millis = r.Hold.Milliseconds()
	}
	// Each change is one from which rivals wait anew (S2): were it written again and
	// again, they would wait for a dead leader for ever.
	if rec.Held() && next.Repeats(rec.Ask) && !(mine != nil && mine.Same(rec.Ask)) {
		return rec, false, nil
	}
	rec.Ask = &next
	return rec, true, nil
}

// moment returns the time to the millisecond, and below that a random part: it tells two
// requests of one operator in one moment apart.
func moment() time.Time {
	return time.Now().UTC().Truncate(time.Millisecond).Add(rand.N(time.Millisecond))
}

// The errors of Ask alone.
var (
	// ErrNotObeyed means that a request was written, and had not been obeyed when
	// the context ended: it may be later.
	ErrNotObeyed = errors.New("not obeyed yet")

	// ErrReplaced means that a request was written, and that a later one took its
	// place before it was obeyed.
	ErrReplaced = errors.New("replaced by a later request")

	// ErrNotTransferred means that the node that a Transfer named has not taken the
	// seat: another leads, or nobody does.
	ErrNotTransferred = errors.New("not transferred")
)

const (
	// askPoll is how often Ask looks whether it was obeyed.
	askPoll = 100 * time.Millisecond

	// minTakeover and maxTakeover bound how long Ask waits after the hold of a
	// transfer to see who takes the seat: the TTL of the last term.
	minTakeover, maxTakeover = time.Second, 15 * time.Second
)

// waiting waits until a request is obeyed.
type waiting struct {
	request Request
	key     string
	asked   election.Record // as the request was written

	view   election.View[election.Record]
	vacant bool          // the seat is free, or was
	free   time.Duration // since when, on the monotonic clock
}

func (w *waiting) wait(ctx context.Context, kv store.Store) error {
	r := newRegister(kv, w.key)
	for {
		found := look(ctx, r, w.view.Rec)
		if found.foreign != nil {
			return w.failed(found.foreign)
		}
		if found.err == nil {
			now := clock.System{}.Now().Mono
			w.view.See(found.pair, found.rec, now)
			if done, err := w.obeyed(now); done || err != nil {
				return err
			}
		}
		if err := clock.Pause(ctx, askPoll); err != nil {
			var silent register.NoAnswer
			if found.err != nil && (!errors.Is(found.err, err) || errors.As(found.err, &silent)) { // not only by the end of ctx
				return fmt.Errorf("%w; the request to %s is written: %w: %w", found.err, w.request.Action, ErrNotObeyed, err)
			}
			return w.failed(fmt.Errorf("%w: %s: %w", ErrNotObeyed, w.leads(), err))
		}
	}
}

// obeyed reports whether the request has been obeyed, by what was just seen. An
// error means that it will not be.
func (w *waiting) obeyed(now time.Duration) (bool, error) {
	rec := w.view.Rec
	sameTerm := rec.Held() && rec.Token == w.asked.Token
	newTerm := rec.Held() && rec.Token > w.asked.Token
	// A record that is gone, or put back, says nothing: the leader may lead on, and
	// write it again.
	vacated := w.view.Pair != nil && !rec.Held() && rec.Token >= w.asked.Token
	over := newTerm || vacated || w.view.Left(now) == 0
	if over && !w.vacant {
		w.vacant, w.free = true, now
	}
	asks := rec.Ask.Same(w.asked.Ask) || w.asked.Ask != nil && w.asked.Ask.Repeats(rec.Ask) // another may ask the same
	if w.request.Action != Transfer {
		switch {
		case over:
			return true, nil
		case sameTerm && !asks:
			return false, w.failed(ErrReplaced)
		}
		return false, nil
	}
	leads := rec.Held() && rec.Leader == w.request.To
	switch {
	case newTerm && leads:
		return true, nil
	case sameTerm && leads && rec.Ask == nil && rec.Beat != w.asked.Beat:
		return true, nil // it led before, has renewed its term, and dropped the request
	case newTerm, w.vacant && now >= clock.Later(w.free, w.request.Hold+w.takeover()):
		return false, w.failed(fmt.Errorf("%w: %s", ErrNotTransferred, w.leads()))
	case (sameTerm || vacated) && !asks:
		return false, w.failed(ErrReplaced)
	}
	return false, nil
}

// takeover is how long others may take to find that the hold is over.
func (w *waiting) takeover() time.Duration { return min(max(w.asked.TTL(), minTakeover), maxTakeover) }

// leads says who leads, as far as was seen.
func (w *waiting) leads() string {
	switch rec := w.view.Rec; {
	case !w.view.Known:
		return "it is not known who leads"
	case !rec.Held() && w.request.Action == Transfer:
		return fmt.Sprintf("nobody leads, and %q has not taken the seat", w.request.To)
	case !rec.Held():
		return "nobody leads"
	case w.view.Left(clock.System{}.Now().Mono) == 0:
		return fmt.Sprintf("nobody leads, for %q, term %d, has not renewed its claim", rec.Leader, rec.Token)
	default:
		return fmt.Sprintf("%q leads, term %d", rec.Leader, rec.Token)
	}
}

func (w *waiting) failed(why error) error {
	return fmt.Errorf("leadership: ask %q to %s: %w", w.key, w.request.Action, why)
}
