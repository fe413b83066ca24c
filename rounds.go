package leadership

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/register"
	"github.com/seed-a1d591d3/leadership/store"
)

// maxRoundsSeen is of how many rounds a Rounds remembers what it has seen.
const maxRoundsSeen = 4096

// RoundState is what is known of a round. The zero value is that of a round that
// nobody has won.
type RoundState struct {
	System, Round string

	// Winner is the node that has won the latest attempt.
	Winner string

	// Anonymous says that the winner is no name: see the option of that name.
	Anonymous bool

	// Elected is when the attempt was won, by the winner's wall clock.
	Elected time.Time

	// Attempt is its number, from 1 on.
	Attempt uint64

	// TTL is how long the attempt is good for without being renewed or completed; 0 is for ever.
	TTL time.Duration

	// Failed is when the winner has said that it has failed, by its wall clock, and
	// Failure what it said. It is zero once the round is completed, or tried again.
	Failed  time.Time
	Failure []byte

	// Completer is who has completed the round, if it has been, at Completed
	// by its wall clock, with that Result.
	Completer string
	Completed time.Time
	Result    []byte
}

// State returns what is known of the round; without a Winner if there is none yet.
// Its errors are those of the store and ErrForeignRecord.
func (r *Round) State(ctx context.Context) (RoundState, error) {
	v, err := r.peek(ctx)
	if err != nil || v.pair == nil {
		return RoundState{}, err
	}
	system, round, _ := strings.Cut(r.key, "/")
	return v.rec.state(system, round), nil
}

// Rounds makes the rounds of one store, for a process that has many: they share
// what has been seen of the store and of their attempts, the latter of the 4096 that were
// asked for last. Make it with NewRounds; the zero value is not usable. It is safe
// for concurrent use.
type Rounds struct {
	kv     store.Store
	opts   []RoundOption
	shared *roundShared
}

// NewRounds makes a Rounds. opts are those of all its rounds. It makes no call of
// the store; what will not do is reported by the rounds.
func NewRounds(kv store.Store, opts ...RoundOption) *Rounds {
	return &Rounds{kv: kv, opts: slices.Clone(opts), shared: newRoundShared(maxRoundsSeen)}
}

// Round makes one node's view of a round, as NewRound does, with more options.
func (r *Rounds) Round(system, round, node string, opts ...RoundOption) *Round {
	return newRound(r.kv, r.shared, system, round, node, slices.Concat(r.opts, opts))
}

// List returns the rounds of a system, those elected last first. What is no record
// of a round is left out. Its errors are ErrInvalidArgument and those of the store.
func (r *Rounds) List(ctx context.Context, system string) ([]RoundState, error) {
	found, err := r.list(ctx, system)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b RoundState) int {
		if c := b.Elected.Compare(a.Elected); c != 0 {
			return c
		}
		return strings.Compare(a.Round, b.Round)
	})
	return found, nil
}

func (r *Rounds) list(ctx context.Context, system string) ([]RoundState, error) {
	view := r.Round(system, "list", "list")
	if view.err != nil {
		return nil, view.err
	}
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	folder := register.New(register.Config{Place: at(r.kv, system+"/"), Timeout: view.opts.timeout})
	pairs, err := register.Call(ctx, folder, folder.List)
	if err != nil {
		return nil, err
	}
	states := make([]RoundState, 0, len(pairs))
	for _, pair := range pairs {
		of, name, ok := strings.Cut(strings.TrimPrefix(pair.Key, "/"), "/")
		if !ok || of != system || checkRoundName("round", name) != nil {
			continue
		}
		if rec, err := parseRound(pair.Value); err == nil {
			states = append(states, rec.state(system, name))
		}
	}
	return states, nil
}

// Sweep deletes the rounds of a system that were won, and if they were completed,
// completed, longer ago than age, by the wall clocks of winner and this machine,
// and whose attempt has no time left. It says how many it has deleted. A round
// that was deleted may be won again, so age must be longer than anybody may still ask
// for it, and above 0. Clocks that are wrong count: one ahead on this machine deletes that
// much too early, and what was won by one ahead is kept that much longer. It goes on after an error of one round and returns those of the store, and
// ErrInvalidArgument.
func (r *Rounds) Sweep(ctx context.Context, system string, age time.Duration) (deleted int, err error) {
	if age <= 0 {
		return 0, invalid("age", age, "must be above 0")
	}
	found, err := r.list(ctx, system)
	if err != nil {
		return 0, err
	}
	var failures []error
	for _, s := range found {
		if !s.older(age) {
			continue
		}
		done, err := r.Round(s.System, s.Round, "sweep").sweep(ctx, age)
		if done {
			deleted++
		}
		if err != nil {
			failures = append(failures, err)
			if ctx.Err() != nil {
				break
			}
		}
	}
	return deleted, errors.Join(failures...)
}

// older says whether a round is older than age.
func (s RoundState) older(age time.Duration) bool {
	latest := s.Elected
	for _, at := range []time.Time{s.Failed, s.Completed} {
		if at.After(latest) {
			latest = at
		}
	}
	return clock.System{}.Now().Time().Sub(latest) > age
}

// sweep deletes the round if it is older than age, and reports whether it has.
func (r *Round) sweep(ctx context.Context, age time.Duration) (deleted bool, err error) {
	if err := r.ready(ctx); err != nil {
		return false, err
	}
	_, err = r.register.Update(ctx, func(pair *store.KVPair, earlier register.Earlier) (register.Change, error) {
		deleted = false
		v, err := r.saw(pair, false)
		if err == nil && v.rec.open() {
			v, err = r.saw(pair, true) // to know at the next sweep since when it is silent
		}
		switch {
		case errors.Is(err, ErrForeignRecord):
			return register.Leave, nil // not ours to delete
		case err != nil:
			return register.Leave, err
		case pair == nil:
			deleted = earlier != register.None
			return register.Leave, nil
		case !v.rec.state("", "").older(age):
			return register.Leave, nil
		case v.rec.open() && clock.System{}.Now().Mono < v.free:
			return register.Leave, nil // its winner may be at work: at the next sweep
		}
		deleted = true
		return register.Delete, nil
	})
	return deleted && err == nil, err
}
