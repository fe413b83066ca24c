package leadership

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/register"
	"github.com/seed-a1d591d3/leadership/internal/watches"
	"github.com/seed-a1d591d3/leadership/store"
)

const (
	// DefaultCallTimeout is how long a Round waits for one call of the store.
	DefaultCallTimeout = 5 * time.Second

	// DefaultPollInterval is how often Await looks at a round of which its
	// watch says nothing.
	DefaultPollInterval = time.Second

	// MaxRoundResult is how many bytes the result of a round may have.
	MaxRoundResult = 4096

	// maxRoundName is how many bytes the name of a system or round may have.
	maxRoundName = 255
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
	node string
	opts roundOptions
	err  error // what is wrong with the arguments

	register *register.Register
	shared   *roundShared
	held     atomic.Pointer[win] // the one that this Round has won last, or nil
}

// NewRound makes one node's view of a round. It makes no call of the store.
//
// system and round name the round: of 1 to 255 bytes each, without slashes or
// control characters, neither "." nor "..". Name a round after the instant at
// which the job is due, not after the time that a node's clock shows. node is
// who wins; unlike the nodes of an election, two processes of the same name
// are the same node here, and both are told that they have won.
//
// An argument that will not do is reported by every method, as
// ErrInvalidArgument.
func NewRound(kv store.Store, system, round, node string, opts ...RoundOption) *Round {
	return newRound(kv, newRoundShared(1), system, round, node, opts)
}

func newRound(kv store.Store, shared *roundShared, system, round, node string, opts []RoundOption) *Round {
	r := &Round{
		kv: kv, node: node, shared: shared,
		opts: roundOptions{timeout: DefaultCallTimeout, poll: DefaultPollInterval},
	}
	for _, opt := range opts {
		if opt != nil {
			opt(&r.opts)
		}
	}
	r.key = system + "/" + round
	r.register = register.New(register.Config{
		Place: at(kv, r.key), Timeout: r.opts.timeout, Unsafe: ErrUnsafeStore, Proof: &shared.proof, Reads: &shared.reads,
	})
	r.err = r.check(system, round)
	return r
}

func (r *Round) check(system, round string) error {
	if err := checkStore(r.kv); err != nil {
		return err
	}
	if err := errors.Join(checkRoundName("system", system), checkRoundName("round", round)); err != nil {
		return err
	}
	if err := checkName("node", r.node); err != nil {
		return err
	}
	if r.opts.timeout <= 0 {
		return invalid("call timeout", r.opts.timeout, "must be above 0")
	}
	if r.opts.poll <= 0 {
		return invalid("poll interval", r.opts.poll, "must be above 0")
	}
	if ttl := r.opts.ttl; ttl != 0 && (ttl < MinTTL || ttl > MaxTTL) {
		return invalid("attempt TTL", ttl, "must be 0 or from %v to %v", MinTTL, MaxTTL)
	}
	return nil
}

func checkRoundName(argument, name string) error {
	if err := checkName(argument, name); err != nil {
		return err
	}
	if len(name) > maxRoundName || name == "." || name == ".." ||
		strings.Contains(name, "/") || strings.ContainsFunc(name, unicode.IsControl) {
		return invalid(argument, fmt.Sprintf("%.300q", name),
			`must have at most %d bytes, no slash, no control character, and be neither "." nor ".."`, maxRoundName)
	}
	return nil
}

// Elect says whether this node is the winner, and makes it the winner if there
// is none. Asked again it answers the same; where the attempts have a TTL, the
// winner's time then begins anew. After an error, which may be ErrForeignRecord,
// ErrUnsafeStore, or ErrLost for an attempt whose time was up before it was known to be
// won, it is not known whether this node has won: ask again.
func (r *Round) Elect(ctx context.Context) (bool, error) {
	rec, err := r.elect(ctx)
	return err == nil && r.won(rec), err
}

// Elected returns the winner, or an empty name if there is none yet. Its
// errors are those of the store and ErrForeignRecord.
func (r *Round) Elected(ctx context.Context) (string, error) {
	v, err := r.peek(ctx)
	return v.rec.Winner, err
}

// Complete is CompleteWith without a result.
func (r *Round) Complete(ctx context.Context) error { return r.CompleteWith(ctx, nil) }

// CompleteWith records that the winner, which must be this node, has done the
// job, and what came of it, of at most MaxRoundResult bytes. It may be called again, and
// then changes nothing. It returns ErrNotElected if this node is not the winner;
// ErrSuperseded if another attempt has begun since that which this Round has won,
// or that WithAttempt names; ErrCompletedByOther, which names the node, if another has
// completed the round already; and ErrInvalidArgument for a result that is too long.
func (r *Round) CompleteWith(ctx context.Context, result []byte) error {
	return r.conclude(ctx, "complete", result, func(rec *roundRecord, c *completion) { rec.Completed, rec.Failed = c, nil })
}

// Fail records that the winner, which must be this node, has tried to do the job and
// has failed, and what came of it, of at most MaxRoundResult bytes: State and
// Rounds.List tell. The round is not completed by that, and nobody else wins it sooner: the
// winner may try again, and complete it. Completing the round, and the next attempt, take the
// note away. A round that this node has completed stays as it is. The errors are those of
// CompleteWith.
func (r *Round) Fail(ctx context.Context, result []byte) error {
	return r.conclude(ctx, "fail", result, func(rec *roundRecord, c *completion) { rec.Failed = c })
}

// conclude notes what came of the attempt of this node.
func (r *Round) conclude(ctx context.Context, verb string, result []byte, note func(*roundRecord, *completion)) error {
	if len(result) > MaxRoundResult {
		return invalid("result", fmt.Sprintf("%d bytes", len(result)), "must have at most %d", MaxRoundResult)
	}
	if err := r.ready(ctx); err != nil {
		return err
	}
	var rec roundRecord
	pair, err := r.register.Update(ctx, func(pair *store.KVPair, earlier register.Earlier) (register.Change, error) {
		v, err := r.saw(pair, true)
		if err != nil {
			return register.Leave, err
		}
		done, err := r.mayComplete(v.rec)
		if err != nil {
			return register.Leave, fmt.Errorf("leadership: %s %q by %q: %w", verb, r.key, r.node, err)
		}
		if rec = v.rec; done && earlier == register.None {
			return register.Leave, nil
		}
		note(&rec, &completion{By: r.node, At: now(), Result: result})
		return rec.change()
	})
	if err == nil {
		_, err = r.saw(pair, true)
	}
	return err
}

// mayComplete says whether this node has completed the round already, or why it
// must not.
func (r *Round) mayComplete(rec roundRecord) (done bool, err error) {
	number := r.opts.number
	if held := r.held.Load(); number == 0 && held != nil {
		number = held.number
	}
	by := rec.completer()
	switch {
	case rec.Winner == "":
		return false, fmt.Errorf("%w: nobody is", ErrNotElected)
	case number != 0 && rec.attempt() != number:
		return false, fmt.Errorf("%w: it is attempt %d of %q now, not %d", ErrSuperseded, rec.attempt(), rec.Winner, number)
	case by != "" && by != r.node:
		return false, fmt.Errorf("%w: %q", ErrCompletedByOther, by)
	case by != "":
		return true, nil
	case rec.Winner == r.node && (r.opts.instance == "" || r.opts.instance == rec.Instance):
		return false, nil
	case r.opts.instance == "" || rec.Instance == "":
		return false, fmt.Errorf("%w: %q is", ErrNotElected, rec.Winner)
	case rec.leased() && number == 0:
		return false, fmt.Errorf("%w: without a name it has to say which attempt it completes", ErrNotElected)
	}
	return false, nil
}

// Completed returns who completed the round, or an empty name. Its errors are
// those of the store and ErrForeignRecord.
func (r *Round) Completed(ctx context.Context) (string, error) {
	v, err := r.peek(ctx)
	return v.rec.completer(), err
}

// Await waits until the round has been completed, and returns by whom. Errors
// of the store do not end the wait; it returns ErrForeignRecord, or, at the
// end of ctx, its cause together with the last error of the store.
func (r *Round) Await(ctx context.Context) (string, error) {
	if err := r.ready(ctx); err != nil {
		return "", err
	}
	wake := make(chan struct{}, 1)
	w := watches.Open(ctx, r.kv, r.key, func() time.Duration { return r.opts.poll }, func(*store.KVPair) { nudge(wake) })
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
		case err == nil && v.rec.completer() != "":
			return v.rec.completer(), nil
		case err == nil && v.pair != nil && !known:
			known = true
			w.Again()
		}
		poll := time.NewTimer(r.opts.poll)
		select {
		case <-ctx.Done():
			poll.Stop()
			if failure != nil {
				return "", fmt.Errorf("%w: while waiting for the end of the round: %w", failure, context.Cause(ctx))
			}
			return "", fmt.Errorf("leadership: await %q: %w", r.key, context.Cause(ctx))
		case <-wake:
			poll.Stop()
		case <-poll.C:
		}
	}
}

// Do elects, and if this node wins and the round has not been completed, calls
// work and completes the round. It says whether this node is the winner. An
// error of work is returned as it is and leaves the round uncompleted; so the
// winner may call Do again. It blocks while work runs. Where the attempts have a TTL, the
// context that work is given ends, with ErrLost as its cause, when the attempt is not to be
// trusted any more: its Err and Done are computed from the clock, as those of
// Candidate.Run are.
func (r *Round) Do(ctx context.Context, work func(ctx context.Context) error) (bool, error) {
	if work == nil {
		return false, invalid("work", "nil", "must be a function")
	}
	rec, err := r.elect(ctx)
	if err != nil || !r.won(rec) {
		return false, err
	}
	if rec.completer() != "" {
		return true, nil
	}
	working := ctx
	if rec.leased() {
		held, lost := r.held.Load(), fmt.Errorf("leadership: round %q: %w", r.key, ErrLost)
		within, cancel := context.WithTimeoutCause(ctx, held.left(), lost) // for its deadline
		defer cancel()
		var t trust
		t.begin(within, clock.System{}, held.trust, held.start, lost, func() {})
		defer t.end(context.Canceled)
		working = t.ctx
	}
	if err := work(working); err != nil {
		return true, err
	}
	return true, r.Complete(ctx)
}

// now is the time for people to read in a record.
func now() time.Time {
	return clock.System{}.Now().Time().UTC().Truncate(time.Millisecond)
}
