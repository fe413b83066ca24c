package leadership

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/lru"
	"github.com/seed-a1d591d3/leadership/internal/register"
	"github.com/seed-a1d591d3/leadership/internal/round"
	"github.com/seed-a1d591d3/leadership/store"
)

const (
	// DefaultPollInterval is how often Await looks at a round of which its
	// watch says nothing.
	DefaultPollInterval = time.Second

	// MaxRoundResult is how many bytes the result of a round may have.
	MaxRoundResult = 4096

	// maxRoundsSeen is of how many rounds a Rounds remembers what it has seen.
	maxRoundsSeen = 4096

	// maxRoundCalls is how many calls of a Rounds are under way at a time. It bounds the
	// goroutines that a store without answers can hold.
	maxRoundCalls = 256

	// maxRoundName is how many bytes the name of a system or round may have.
	maxRoundName = 255
)

// RoundState is what is known of a round. The zero value is that of a round that
// nobody has won.
type RoundState struct {
	System, Round string

	// Winner is the node that has won the latest attempt.
	Winner string

	// Anonymous reports whether the winner is no name: see the option of that name.
	Anonymous bool

	// Elected is when the attempt was won, by the winner's wall clock.
	Elected time.Time

	// Attempt is its number, from 1 on.
	Attempt uint64

	// TTL is how long the attempt is good for without being renewed or completed; 0 is for ever.
	TTL time.Duration

	// Failed is when the winner has recorded that it has failed, by its wall clock, and
	// Failure with what result. It is zero once the round is completed, or tried again.
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
	if err != nil || v.Pair == nil {
		return RoundState{}, err
	}
	system, round, _ := strings.Cut(r.key, "/")
	return state(system, round, v.Rec), nil
}

// Rounds makes the rounds of one store, for a process that has many: they share
// what has been seen of the store and of their attempts, the latter for the 4096 rounds
// that were asked for last. Of their calls of the store 256 are under way at a time, and others
// wait for them: so a store that hangs, and ignores its contexts, holds no more. Make it with
// NewRounds; the zero value is not usable. It is safe for concurrent use.
type Rounds struct {
	kv   store.Store
	opts []RoundOption
	seen *observations
}

// NewRounds makes a Rounds. opts are those of all its rounds. It makes no call of
// the store. Invalid arguments are reported by the rounds.
func NewRounds(kv store.Store, opts ...RoundOption) *Rounds {
	return &Rounds{kv: kv, opts: slices.Clone(opts), seen: newObservations(maxRoundsSeen, maxRoundCalls)}
}

// Round makes one node's view of a round, as NewRound does, with more options.
func (r *Rounds) Round(system, round, node string, opts ...RoundOption) *Round {
	return newRound(r.kv, r.seen, system, round, node, slices.Concat(r.opts, opts))
}

// List returns the rounds of a system, those elected last first. What is no record
// of a round is left out. It blocks for as long as the store takes; each thousand rounds
// or so take one call, at most for its timeout. Its errors are ErrInvalidArgument and those
// of the store.
func (r *Rounds) List(ctx context.Context, system string) ([]RoundState, error) {
	found := make(map[string]RoundState)
	err := r.pages(ctx, system, func(name string, rec round.Record) { found[name] = state(system, name, rec) })
	if err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Values(found), func(a, b RoundState) int {
		return cmp.Or(b.Elected.Compare(a.Elected), strings.Compare(a.Round, b.Round))
	}), nil
}

// pages calls f with the name and the record of each round of a system, of some twice.
func (r *Rounds) pages(ctx context.Context, system string, f func(name string, rec round.Record)) error {
	view := r.Round(system, "list", "list")
	if err := view.ready(ctx); err != nil {
		return err
	}
	folder := register.New(register.Config{Place: at(r.kv, system+"/"), Timeout: view.opts.timeout, Shared: r.seen.calls})
	return register.Pages(ctx, folder, func(pairs []*store.KVPair) error {
		for _, pair := range pairs {
			of, name, ok := strings.Cut(strings.TrimPrefix(pair.Key, "/"), "/")
			if !ok || of != system || checkRoundName("round", name) != nil {
				continue
			}
			if rec, err := round.Parse(pair.Value); err == nil {
				f(name, rec)
			}
		}
		return context.Cause(ctx)
	})
}

// Sweep deletes the rounds of a system that were won, and if they were completed,
// completed, longer ago than age, by the wall clocks of winner and this machine,
// and whose attempt has no time left. It returns how many it has deleted. A round
// that was deleted may be won again, so age must be longer than anybody may still ask
// for it, and above 0. Clocks that are wrong count: one ahead on this machine deletes that
// much too early, and what was won by one ahead is kept that much longer. It goes on after
// an error of one round, and returns those of the store, and ErrInvalidArgument.
func (r *Rounds) Sweep(ctx context.Context, system string, age time.Duration) (deleted int, err error) {
	if age <= 0 {
		return 0, invalid("age", age, "must be above 0")
	}
	var failures []error
	err = r.pages(ctx, system, func(name string, rec round.Record) {
		view := r.Round(system, name, "sweep")
		if ctx.Err() != nil || !rec.Older(age, view.opts.clock.Now().Time()) {
			return
		}
		done, err := view.sweep(ctx, age)
		if done {
			deleted++
		}
		if err != nil {
			failures = append(failures, err)
		}
	})
	return deleted, errors.Join(append(failures, err)...)
}

// sweep deletes the round if it is older than age, and reports whether it has.
func (r *Round) sweep(ctx context.Context, age time.Duration) (deleted bool, err error) {
	if err := r.ready(ctx); err != nil {
		return false, err
	}
	_, err = r.register.Update(ctx, func(pair *store.KVPair, earlier register.Earlier) (register.Change, error) {
		deleted = false
		v, err := r.saw(pair, false)
		if err == nil && v.Rec.Held() {
			v, err = r.saw(pair, true) // to know at the next sweep since when it is silent
		}
		switch {
		case errors.Is(err, ErrForeignRecord):
			return register.Leave, nil // not ours to delete
		case err != nil:
			return register.Leave, err
		case !round.MayDelete(v, age, r.opts.clock.Now()):
			deleted = pair == nil && earlier != register.None
			return register.Leave, nil
		}
		deleted = true
		return register.Delete, nil
	})
	return deleted && err == nil, err
}

// state returns a record as users see it.
func state(system, name string, r round.Record) RoundState {
	s := RoundState{
		System: system, Round: name, Winner: r.Winner, Anonymous: r.Instance != "",
		Elected: r.Elected, Attempt: r.Order(), TTL: r.TTL(),
	}
	if r.Failed != nil {
		s.Failed, s.Failure = r.Failed.At, r.Failed.Result
	}
	if r.Completed != nil {
		s.Completer, s.Completed, s.Result = r.Completed.By, r.Completed.At, r.Completed.Result
	}
	return s
}

// observations are what the rounds of one process share: what they know of the store, their
// calls of it, and what they have seen of rounds that have a winner. They are bounded: what has not been
// looked at for the longest time is forgotten, and a rival that waits for an attempt to
// end then begins to wait anew.
type observations struct {
	proof register.Proof // of the store (S10)
	reads register.Reads
	calls chan struct{} // those under way (S6)

	mu    sync.Mutex                    // of the views
	views *lru.Map[string, *round.View] // nil for a round whose end nobody waits for
}

func newObservations(most, calls int) *observations {
	return &observations{calls: make(chan struct{}, calls), views: lru.New[string, *round.View](most)}
}

// knows reports whether the round under key has been seen to have a record.
func (s *observations) knows(key string) bool { return s.views.Has(key) }

// see takes note of what was found under key, nil for no record, and returns what is
// known of it by then. now was read after the reply (S2). add means to remember a
// round that was not known.
func (s *observations) see(key string, pair *store.KVPair, rec round.Record, now time.Duration, add bool) round.View {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.views.Has(key)
	var view round.View
	if known {
		if was := s.views.Get(key, func() *round.View { return nil }); was != nil {
			view = *was
		}
	}
	view.See(pair, rec, now)
	switch {
	case pair == nil && !view.Gone().Held():
		s.views.Delete(key)
	case !known && (!add || pair == nil):
	case pair != nil && !rec.Held():
		s.views.Put(key, nil)
	default:
		kept := view
		s.views.Put(key, &kept)
	}
	return view
}

func (r *Round) check(system, name string) error {
	if err := checkStore(r.kv); err != nil {
		return err
	}
	if err := errors.Join(checkRoundName("system", system), checkRoundName("round", name)); err != nil {
		return err
	}
	if err := checkName("node", r.by.Node); err != nil {
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
	if ttl, grace := r.opts.ttl, r.opts.grace; grace < 0 || ttl != 0 && grace > ttl-ttl/5-2*time.Millisecond {
		return invalid("attempt grace", grace, "must not be below 0 and at least 2ms below four fifths of the attempt TTL of %v", ttl)
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

// RoundOption changes what NewRound makes. An option that is nil changes
// nothing.
type RoundOption func(*roundOptions)

type roundOptions struct {
	timeout  time.Duration
	poll     time.Duration
	ttl      time.Duration // of an attempt; 0: for ever
	grace    time.Duration
	number   uint64 // of the attempt to complete; 0: that which was won
	instance string // what tells an anonymous Round from others
	clock    clock.Clock
}

func init() {
	clock.RoundOption = func(c clock.Clock) any {
		return RoundOption(func(o *roundOptions) { o.clock = c })
	}
}

// WithCallTimeout sets how long one call of the store is waited for. It must
// be above 0; the default is DefaultCallTimeout.
func WithCallTimeout(d time.Duration) RoundOption {
	return func(o *roundOptions) { o.timeout = d }
}

// WithPollInterval sets how often Await looks at a round of which its watch
// says nothing. It must be above 0; the default is DefaultPollInterval.
func WithPollInterval(d time.Duration) RoundOption {
	return func(o *roundOptions) { o.poll = d }
}

// WithAttemptTTL limits how long an attempt lasts that is not renewed. If its winner has not
// completed the round by then, the next node that asks, and has a TTL too, begins the
// next attempt, and the former winner can no longer complete the round. d must be from
// MinTTL to MaxTTL; the default, and 0, is that an attempt is for ever.
//
// The winner may work for four fifths of d, counted from before it asked: see
// Round.Attempt. When it asks again, as Do does while work runs, its time begins anew. A
// rival may begin the next attempt no sooner than d after it has first seen the
// present one unchanged, by its own monotonic clock: so it has to ask at least twice, from
// the same Round or the same Rounds, and what it saw is forgotten when its process ends.
//
// A winner that asked without a TTL keeps the round for ever, whatever others ask with, and
// one that asks again with a shorter one keeps the longer: it may be at work by that.
// A node that asks without one begins no attempt but the first.
func WithAttemptTTL(d time.Duration) RoundOption {
	return func(o *roundOptions) { o.ttl = d }
}

// WithAttemptGrace sets how long before its attempt can no longer be trusted the
// context of Do's work ends, and Attempt returns 0, so that the work has time to stop
// before another attempt can begin. It must not be below 0, and at least 2 ms below four
// fifths of the attempt's TTL. The default is 0. Without WithAttemptTTL it has no effect.
func WithAttemptGrace(d time.Duration) RoundOption {
	return func(o *roundOptions) { o.grace = d }
}

// WithAttempt has Complete and Fail finish the attempt of that number alone: for a process
// that does not have the Round that made it. The default, and 0, is the last attempt of
// this Round, or, if it has made none, that of this node.
func WithAttempt(number uint64) RoundOption {
	return func(o *roundOptions) { o.number = number }
}

// Anonymous means that node is not the name of one node but, say, the address of a
// client, which may be another's tomorrow. An attempt of this Round is not that of another
// Round, even of one with the same node. Any anonymous Round may complete it; if attempts
// have a TTL, one that names the attempt (WithAttempt). An anonymous Round cannot complete
// an attempt of a node with a name. The default is that names are names.
func Anonymous() RoundOption {
	return func(o *roundOptions) { o.instance = rand.Text() }
}
