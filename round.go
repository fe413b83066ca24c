package leadership

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/lease"
	"github.com/seed-a1d591d3/leadership/internal/register"
	"github.com/seed-a1d591d3/leadership/internal/relay"
	"github.com/seed-a1d591d3/leadership/internal/round"
	"github.com/seed-a1d591d3/leadership/internal/watches"
	"github.com/seed-a1d591d3/leadership/store"
)

// Round elects exactly one winner for one job, ever: of all nodes that ask,
// the first wins, and the answer never changes, unless the attempts have a TTL
// (WithAttemptTTL) or the round is deleted. Its record stays in the store, under
// <system>/<round>, until Rounds.Sweep or somebody else deletes it. Make it with
// NewRound or Rounds.Round; the zero value is not usable. All methods are safe for
// concurrent use.
type Round struct {
	kv   store.Store
	key  string
	by   round.Claimant
	opts roundOptions
	err  error // what is wrong with the arguments

	register *register.Register
	seen     *observations
	held     atomic.Pointer[round.Attempt] // the one that this Round has won last, or nil
	done     atomic.Bool                   // this Round has completed it, by a write that was acknowledged
}

// NewRound makes one node's view of a round. It makes no call of the store.
//
// system and round name the round: of 1 to 255 bytes each, without slashes or
// control characters, neither "." nor "..". Name a round after the instant at
// which the job is due, not after the time that a node's clock shows. node names the
// node that asks; unlike the nodes of an election, two processes of the same name
// are the same node here, and both are told that they have won.
//
// Invalid arguments are reported by every method, as ErrInvalidArgument.
func NewRound(kv store.Store, system, round, node string, opts ...RoundOption) *Round {
	return newRound(kv, newObservations(1, 1), system, round, node, opts)
}

func newRound(kv store.Store, seen *observations, system, name, node string, opts []RoundOption) *Round {
	r := &Round{
		kv: kv, key: system + "/" + name, seen: seen,
		opts: roundOptions{timeout: DefaultCallTimeout, poll: DefaultPollInterval, clock: clock.System{}},
	}
	for _, opt := range opts {
		if opt != nil {
			opt(&r.opts)
		}
	}
	r.by = round.Claimant{Node: node, Instance: r.opts.instance, TTL: r.opts.ttl}
	r.register = register.New(register.Config{
		Place: at(kv, r.key), Timeout: r.opts.timeout, Unsafe: ErrUnsafeStore, Clock: r.opts.clock, Shared: seen.calls, Proof: &seen.proof, Reads: &seen.reads,
	})
	r.err = r.check(system, name)
	return r
}

// ready returns what is wrong with the arguments.
func (r *Round) ready(ctx context.Context) error { return errors.Join(r.err, checkContext(ctx)) }

// Elect reports whether this node is the winner, and makes it the winner if there
// is none. Asked again it answers the same; where the attempts have a TTL, the
// winner's time then begins anew. After an error, which may be ErrForeignRecord,
// ErrUnsafeStore, or ErrLost for an attempt whose time was up before it was known to be
// won, it is not known whether this node has won: ask again.
func (r *Round) Elect(ctx context.Context) (bool, error) {
	rec, err := r.elect(ctx)
	return err == nil && r.by.Won(rec), err
}

// elect returns the record of the round, in which there is a winner.
func (r *Round) elect(ctx context.Context) (round.Record, error) {
	if err := r.ready(ctx); err != nil {
		return round.Record{}, err
	}
	var rec round.Record
	var start clock.Instant
	var view round.View // of a round that most likely is new, unless it is known
	writes, known := false, r.seen.knows(r.key)
	next := func(pair *store.KVPair, earlier register.Earlier) (_ register.Change, err error) {
		if known || earlier != register.None {
			if view, err = r.saw(pair, true); err != nil {
				return register.Leave, err
			}
		}
		start = r.opts.clock.Now() // before the write (S1)
		own := r.held.Load()
		if earlier != register.None {
			own = nil // a write since may have happened
		}
		if rec, writes, err = r.by.Next(view, start, own, rand.Text()); err != nil {
			return register.Leave, fmt.Errorf("leadership: key %q: %w: %w", r.key, ErrForeignRecord, err)
		}
		if !writes {
			return register.Leave, nil
		}
		value, err := rec.Encode()
		return register.Write(value), err
	}
	var (
		pair *store.KVPair
		err  error
	)
	if known {
		pair, err = r.register.Update(ctx, next)
	} else {
		pair, err = r.register.UpdateFrom(ctx, nil, next) // without reading it first
	}
	if err != nil || !writes {
		return rec, err
	}
	r.seen.see(r.key, pair, rec, r.opts.clock.Now().Mono, true) // that is what was acknowledged
	held := round.Begun(rec, start, r.opts.grace)
	r.held.Store(&held)
	if held.Left(r.opts.clock.Now()) == 0 {
		return rec, fmt.Errorf("leadership: elect %q: %w: attempt %d was won too late to be of use", r.key, ErrLost, held.Number)
	}
	return rec, nil
}

// Attempt returns the number of the attempt that this Round has won last, from
// 1 on, and for how long from now its winner may work by it: 0 when that time is over.
// Without WithAttemptTTL it is the longest time that there is. The number is 0 if this
// Round has won nothing. It does not block.
func (r *Round) Attempt() (number uint64, left time.Duration) {
	for {
		held := r.held.Load()
		if held == nil {
			return 0, 0
		}
		left = held.Left(r.opts.clock.Now())
		if left > 0 || r.held.Load() == held { // not renewed meanwhile
			return held.Number, left
		}
	}
}

// Elected returns the winner, or an empty name if there is none yet. Its
// errors are those of the store and ErrForeignRecord.
func (r *Round) Elected(ctx context.Context) (string, error) {
	v, err := r.peek(ctx)
	return v.Rec.Winner, err
}

// Complete is CompleteWith without a result.
func (r *Round) Complete(ctx context.Context) error { return r.CompleteWith(ctx, nil) }

// CompleteWith records that the winner, which must be this node, has done the
// job, and with what result, of at most MaxRoundResult bytes. It may be called again, and
// then changes nothing. It returns ErrNotElected if this node is not the winner;
// ErrSuperseded if another attempt has begun since that which this Round has won,
// or that WithAttempt names; ErrCompletedByOther, which names the node, if another has
// completed the round already; and ErrInvalidArgument for a result that is too long.
func (r *Round) CompleteWith(ctx context.Context, result []byte) error {
	err := r.finish(ctx, "complete", result, func(rec round.Record, now time.Time) round.Record {
		return r.by.Complete(rec, now, result, rand.Text())
	})
	if err == nil {
		r.done.Store(true)
	}
	return err
}

// Fail records that the winner, which must be this node, has tried to do the job and
// has failed, and with what result, of at most MaxRoundResult bytes: State and
// Rounds.List tell. The round is not completed by that, and nobody else wins it sooner: the
// winner may try again, and complete it. Completing the round, and the next attempt, take the
// note away. A round that this node has completed stays as it is. The errors are those of
// CompleteWith.
func (r *Round) Fail(ctx context.Context, result []byte) error {
	return r.finish(ctx, "fail", result, func(rec round.Record, now time.Time) round.Record {
		return r.by.Fail(rec, now, result)
	})
}

// finish records how the attempt of this node has ended.
func (r *Round) finish(ctx context.Context, verb string, result []byte, note func(round.Record, time.Time) round.Record) error {
	if len(result) > MaxRoundResult {
		return invalid("result", fmt.Sprintf("%d bytes", len(result)), "must have at most %d", MaxRoundResult)
	}
	if err := r.ready(ctx); err != nil {
		return err
	}
	var rec round.Record
	pair, err := r.register.Update(ctx, func(pair *store.KVPair, earlier register.Earlier) (register.Change, error) {
		v, err := r.saw(pair, true)
		if err != nil {
			return register.Leave, err
		}
		done, err := r.mayFinish(v.Rec)
		if err != nil {
			return register.Leave, fmt.Errorf("leadership: %s %q by %q: %w", verb, r.key, r.by.Node, err)
		}
		if rec = note(v.Rec, r.opts.clock.Now().Time()); done && (rec == v.Rec || earlier == register.None && r.done.Load()) {
			rec = v.Rec
			return register.Leave, nil
		}
		value, err := rec.Encode()
		return register.Write(value), err
	})
	if err == nil {
		r.seen.see(r.key, pair, rec, r.opts.clock.Now().Mono, true) // what was acknowledged, or left
	}
	return err
}

// mayFinish reports whether this node has completed the round already, or returns why it
// must not.
func (r *Round) mayFinish(rec round.Record) (done bool, err error) {
	number := r.opts.number
	if held := r.held.Load(); number == 0 && held != nil {
		number = held.Number
	}
	switch r.by.Finish(rec, number) {
	case round.Done:
		return true, nil
	case round.NotElected:
		return false, fmt.Errorf("%w: nobody is", ErrNotElected)
	case round.OtherWon:
		return false, fmt.Errorf("%w: %q is", ErrNotElected, rec.Winner)
	case round.NumberNeeded:
		return false, fmt.Errorf("%w: without a name it has to say which attempt it completes", ErrNotElected)
	case round.Superseded:
		return false, fmt.Errorf("%w: it is attempt %d of %q now, not %d", ErrSuperseded, rec.Order(), rec.Winner, number)
	case round.OtherDone:
		return false, fmt.Errorf("%w: %q", ErrCompletedByOther, rec.Completer())
	default:
		return false, nil
	}
}

// Completed returns who completed the round, or an empty name. Its errors are
// those of the store and ErrForeignRecord.
func (r *Round) Completed(ctx context.Context) (string, error) {
	v, err := r.peek(ctx)
	return v.Rec.Completer(), err
}

// Await waits until the round has been completed, and returns by whom. Errors
// of the store do not end the wait; it returns ErrForeignRecord, or, at the
// end of ctx, its cause together with the last error of the store.
func (r *Round) Await(ctx context.Context) (string, error) {
	if err := r.ready(ctx); err != nil {
		return "", err
	}
	wake := make(chan struct{}, 1)
	w := watches.Open(ctx, r.kv, r.key, func() time.Duration { return r.opts.poll }, func(*watches.Shown) { relay.Wake(wake) })
	defer func() { <-w.Close() }()

	known := false
	var failure error
	for {
		v, err := r.peek(ctx)
		if ctx.Err() == nil {
			failure = err // of the last look: an earlier one explains nothing
		}
		switch {
		case errors.Is(err, ErrForeignRecord):
			return "", err
		case err == nil && v.Rec.Completer() != "":
			return v.Rec.Completer(), nil
		case err == nil && v.Pair != nil && !known:
			known = true
			w.Again()
		}
		if !r.sleep(ctx, r.opts.poll, wake) {
			if failure != nil {
				return "", fmt.Errorf("%w: while waiting for the end of the round: %w", failure, context.Cause(ctx))
			}
			return "", fmt.Errorf("leadership: await %q: %w", r.key, context.Cause(ctx))
		}
	}
}

// Do elects, and if this node wins and the round has not been completed, calls
// work and completes the round. It reports whether this node is the winner. An
// error of work is returned as it is and leaves the round uncompleted; so the
// winner may call Do again. It blocks while work runs. When work has returned nil the
// round is completed though ctx has ended.
//
// Where the attempts have a TTL, Do renews the attempt while work runs, so that work may
// take longer than that. The context that work is given ends, with ErrLost as its cause,
// when the attempt is not to be trusted any more, because it could not be renewed or is
// another's: its Err and Done are computed from the clock, as those of Candidate.Run
// are. Attempt returns how much time is left; see WithAttemptGrace for work that takes its
// time to end.
func (r *Round) Do(ctx context.Context, work func(ctx context.Context) error) (bool, error) {
	if work == nil {
		return false, invalid("work", "nil", "must be a function")
	}
	rec, err := r.elect(ctx)
	if err != nil || !r.by.Won(rec) {
		return false, err
	}
	if rec.Completer() == r.by.Node {
		return true, r.Complete(ctx)
	}
	if rec.Completer() != "" {
		return true, nil
	}
	if rec.Held() {
		err = r.keeping(ctx, work)
	} else {
		err = work(ctx)
	}
	if err != nil {
		return true, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*register.Tries*r.opts.timeout)
	defer cancel()
	return true, r.Complete(ctx)
}

// keeping calls work within the trust in the attempt that this Round has just won, and
// renews that attempt meanwhile.
func (r *Round) keeping(ctx context.Context, work func(ctx context.Context) error) error {
	held, lost := r.held.Load(), fmt.Errorf("leadership: round %q: %w", r.key, ErrLost)
	trust := lease.New(ctx, r.opts.clock, held.Trust, held.Start, lost, func() {})
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		r.keep(trust, held.Trust, lost)
	}()
	defer func() { trust.End(context.Canceled); <-kept }()
	return work(trust.Context())
}

// keep renews the attempt, trusted for that long, until its trust ends. lost is why, where
// the attempt is another's.
func (r *Round) keep(trust *lease.Lease, length time.Duration, lost error) {
	ctx := trust.Context()
	for pause := length / 3; r.sleep(ctx, pause, nil); {
		trying, cancel := context.WithTimeout(ctx, trust.Left()/2) // leaves time for another try
		rec, err := r.elect(trying)
		cancel()
		switch {
		case err != nil:
			pause = max(length/16, time.Millisecond) // it is not known: ask again
		case !r.by.Won(rec):
			trust.End(lost)
		default:
			trust.Renew(r.held.Load().Start)
			pause = length / 3
		}
	}
}

// sleep waits for d, or until wake is sent to. It reports whether ctx goes on.
func (r *Round) sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	due := make(chan struct{})
	timer := r.opts.clock.AfterFunc(d, func() { close(due) })
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-due:
	}
	return true
}

// peek returns what there is of the round, for one who only looks. It remembers nothing
// of a round that was not asked for in Elect: those who look must not push out what
// rivals remember of the attempts that they wait for.
func (r *Round) peek(ctx context.Context) (round.View, error) {
	if err := r.ready(ctx); err != nil {
		return round.View{}, err
	}
	pair, err := r.register.Read(ctx)
	if err != nil {
		return round.View{}, err
	}
	return r.saw(pair, false)
}

// saw takes note of what a call that has just returned has shown (S2).
func (r *Round) saw(pair *store.KVPair, add bool) (round.View, error) {
	var rec round.Record
	if pair != nil {
		var err error
		if rec, err = round.Parse(pair.Value); err != nil {
			return round.View{}, fmt.Errorf("leadership: key %q: %w", r.key, foreign(err))
		}
	}
	return r.seen.see(r.key, pair, rec, r.opts.clock.Now().Mono, add), nil
}
