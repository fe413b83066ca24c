package leadership

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/register"
	"github.com/seed-a1d591d3/leadership/store"
)

// Claims claims and renews the seat of one election for holders that do so by
// asking, such as programs in other languages over HTTP. It does nothing between
// two calls: a holder that does not ask again in time loses its seat. Several
// Claims over one store, in several processes, may serve the same holder in
// turn, and share the election with every Candidate.
//
// A rival may take a seat that is held only once these Claims have seen its
// record unchanged for its whole TTL. So with new ones every rival waits first, and has
// to ask at least twice.
//
// Make it with NewClaims; the zero value is not usable. All methods are safe
// for concurrent use, and wait for each other.
type Claims struct {
	opts     options
	err      error // what is wrong with the arguments
	key      string
	register *register.Register
	turn     chan struct{} // held by the one call that uses what follows

	view   election.View[election.Record] // of nobody: every record is somebody else's
	looked time.Duration                  // when the last look that succeeded began
	token  uint64                         // the highest that was issued
	over   []election.Record              // whose terms were seen to end, the latest last
	unsafe error                          // the store does not compare and swap
}

// NewClaims makes the claims of the election under key. It makes no call of the
// store. It uses the options WithMargin, WithGrace, WithRetryInterval and WithLogger.
// Invalid arguments and options are reported by every method, as ErrInvalidArgument.
func NewClaims(kv store.Store, key string, opts ...Option) *Claims {
	c := &Claims{opts: newOptions(opts), turn: make(chan struct{}, 1), key: key}
	c.register = register.New(register.Config{Place: at(kv, key), Unsafe: ErrUnsafeStore, Clock: c.opts.clock, Limit: c.limit})
	if c.err = checkStore(kv); c.err == nil {
		c.err = checkName("key", key)
	}
	return c
}

// Claim claims the seat, or renews the term of a claimant that has it. It
// blocks for as long as the store takes, at most for the trust that could be
// won. Having lost against another is no error.
//
// It returns ErrEvicted or ErrTransferred where an operator asks the holder to
// go: it was not renewed, and is to end its work, and then to resign, before its
// trust is over. It returns ErrPaused where an operator keeps the seat empty;
// ErrLost where the term of by.Token is over, or has been renewed since by.Beat;
// ErrInvalidArgument, ErrForeignRecord, ErrUnsafeStore, and errors of the store. After an error of
// the store it is not known whether the claim stands: the claimant does not lead
// by it, and may ask again.
func (c *Claims) Claim(ctx context.Context, by Claim) (Claimed, error) {
	start := c.opts.clock.Now() // before anything is done for it (S1)
	if err := errors.Join(c.err, checkContext(ctx)); err != nil {
		return Claimed{}, err
	}
	trust, err := by.check(c.opts)
	if err != nil {
		return Claimed{}, err
	}
	ctx, cancel := register.Within(ctx, trust, tooLate(trust))
	defer cancel()
	got := Claimed{Instance: by.Instance}
	if err := c.begin(ctx); err != nil {
		return got, err
	}
	defer c.end()
	if !c.renewable(by) {
		if err := c.lookSince(ctx, start); err != nil {
			return got, err
		}
	}
	wrote, err := c.write(ctx, func() (next *election.Record, err error) {
		next, got, err = c.answer(by, c.opts.clock.Now())
		if errors.Is(err, errSession) {
			if err = c.endSession(ctx); err == nil {
				next, got, err = c.answer(by, c.opts.clock.Now())
			}
		}
		if next != nil {
			by.wrote = append(by.wrote, next.Beat)
			got = Claimed{Instance: by.Instance} // as long as it is not written
		}
		return next, err
	})
	if err != nil || wrote == nil {
		return got, err
	}
	if trust, err = c.trust(wrote.TTL()); err == nil {
		trust -= c.opts.clock.Now().Since(start)
	}
	if err == nil && trust <= 0 {
		err = fmt.Errorf("leadership: put %q: %w: the store has taken longer than the trust lasts", c.key, context.DeadlineExceeded)
	}
	if err != nil {
		return Claimed{Instance: by.Instance}, err
	}
	return Claimed{Won: true, Term: termOf(*wrote).clone(), Beat: wrote.Beat, Instance: by.Instance, Trust: trust}, nil
}

// tooLate is why a claim is given up when no trust in it is left.
type tooLate time.Duration

func (d tooLate) Error() string {
	return fmt.Sprintf("%v: no answer before the trust was over, %s", context.DeadlineExceeded, clock.About(time.Duration(d)))
}

// Unwrap returns context.DeadlineExceeded.
func (tooLate) Unwrap() error { return context.DeadlineExceeded }

// Resign gives up the term of that instance, which must have ended its work. With a
// token that is not 0 it gives up only the term of that token; without, the instance is
// not to claim again: a call that comes late would end its next term, too. With the beat
// of the last claim that was won, if that is not 0, it gives up no term that was renewed
// since, by another process with the same memory, and returns ErrLost.
// Where the instance does not hold the seat nothing happens. It blocks for as long as the
// store takes. It returns ErrInvalidArgument, ErrForeignRecord, and errors of the
// store, after which it may be called again.
func (c *Claims) Resign(ctx context.Context, instance string, token, beat uint64) error {
	if err := errors.Join(c.err, checkInstance(instance), checkContext(ctx)); err != nil {
		return err
	}
	if err := c.beginAndLook(ctx); err != nil {
		return err
	}
	defer c.end()
	left, err := c.write(ctx, func() (*election.Record, error) {
		rec := c.view.Rec
		if !own(rec, instance) || token != 0 && rec.Token != token || c.contested(c.opts.clock.Now().Mono) {
			return nil, nil
		}
		if beat != 0 && rec.Beat > beat {
			return nil, c.copied()
		}
		next := rec.Vacated(election.NextBeat(rec.Beat, clock.Stride()), reasonOf(asked(rec.Ask, rec.Leader)))
		return &next, nil
	})
	if err == nil && left != nil {
		c.opts.log.Info("no longer leading", "key", c.key, "node", left.Last.Leader, "token", left.Token, "reason", left.Last.Reason)
	}
	return err
}

// Look returns how the election stands. It blocks for as long as the store
// takes. It returns ErrInvalidArgument, ErrForeignRecord, and errors of the
// store.
func (c *Claims) Look(ctx context.Context) (Standing, error) {
	if err := errors.Join(c.err, checkContext(ctx)); err != nil {
		return Standing{}, err
	}
	if err := c.beginAndLook(ctx); err != nil {
		return Standing{}, err
	}
	defer c.end()
	s := standing(c.view.Rec, c.key)
	s.Left = c.view.Left(c.opts.clock.Now().Mono)
	return s, nil
}

// copied is the error of a claimant whose term was renewed since its last answer.
func (c *Claims) copied() error {
	return fmt.Errorf("leadership: key %q: %w: it was renewed since that beat: by an unanswered claim, or by another process with this instance, such as that of a copy of the machine", c.key, ErrLost)
}

// trust returns how long a claim of that TTL can be trusted.
func (c *Claims) trust(ttl time.Duration) (time.Duration, error) {
	o := c.opts
	err := o.candidate(ttl)
	return o.trust(ttl.Truncate(time.Millisecond)), err
}

// begin waits until no other call uses what is known of the record.
func (c *Claims) begin(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("leadership: key %q: an earlier call has not returned: %w", c.key, context.Cause(ctx))
	}
	if c.unsafe != nil {
		c.end()
		return c.unsafe
	}
	return nil
}

func (c *Claims) end() { <-c.turn }

func (c *Claims) beginAndLook(ctx context.Context) error {
	came := c.opts.clock.Now()
	if err := c.begin(ctx); err != nil {
		return err
	}
	err := c.lookSince(ctx, came)
	if err != nil {
		c.end()
	}
	return err
}

// lookSince reads the record, unless that has been done for another call since
// this one came: of many who wait for their turn, one reads for all.
func (c *Claims) lookSince(ctx context.Context, came clock.Instant) error {
	if c.view.Known && c.looked > came.Mono {
		return nil
	}
	began := c.opts.clock.Now().Mono
	err := c.saw(look(ctx, c.register, c.view.Rec))
	if err == nil {
		c.looked = began
	}
	return err
}

// saw takes note of what a read that has just returned has found.
func (c *Claims) saw(found result) error {
	switch {
	case found.foreign != nil:
		return fmt.Errorf("leadership: key %q: %w", c.key, found.foreign)
	case found.err == nil:
		c.see(found.pair, found.rec)
	}
	return found.err
}

// see takes note of what a call that has just returned has found, or written.
func (c *Claims) see(pair *store.KVPair, rec election.Record) {
	before := c.view.Rec
	c.view.See(pair, rec, c.opts.clock.Now().Mono) // after the reply (S2)
	if before.Held() && rec.Instance != before.Instance && rec.Token >= before.Token {
		c.ended(before) // it was given up, or taken
	}
}

// maxOver is of how many terms it is remembered that they have ended.
const maxOver = 16

// ended takes note that the term of a record has ended, whatever is put back later.
func (c *Claims) ended(rec election.Record) {
	if !c.lapsed(rec) {
		c.over = append(c.over[max(len(c.over)-maxOver+1, 0):], election.Record{Instance: rec.Instance, Token: rec.Token})
	}
}

// renewable reports whether what is known of the record is enough to try to renew
// it: if it has changed meanwhile the write is refused.
func (c *Claims) renewable(by Claim) bool {
	rec, now := c.view.Rec, c.opts.clock.Now().Mono
	return own(rec, by.Instance) && (by.Token == 0 || by.Token == rec.Token) &&
		!c.lapsed(rec) && !c.contested(now) && now < c.view.Expires() && asked(rec.Ask, by.Node) == nil
}

// own reports whether a record is that of a claimant. Its terms ride on no session.
func own(rec election.Record, instance string) bool {
	return rec.Held() && rec.Instance == instance && rec.Session == ""
}

// lapsed reports whether the term of a record has ended, whatever others have added to
// the record. It is told by its instance: tokens may go back with the store.
func (c *Claims) lapsed(rec election.Record) bool {
	return slices.ContainsFunc(c.over, func(r election.Record) bool { return r.Instance == rec.Instance && r.Token >= rec.Token })
}

// contested reports whether another may lead by a later record than the one that
// stands, which was put back over it.
func (c *Claims) contested(now time.Duration) bool {
	gone := c.view.Gone()
	return gone.Held() && !c.lapsed(gone) && now < c.view.Vacant()
}

// answer returns what to answer a claimant, or what to write for it.
func (c *Claims) answer(by Claim, now clock.Instant) (*election.Record, Claimed, error) {
	rec := c.view.Rec
	a := Claimed{Term: standing(rec, c.key).Term, Instance: by.Instance}
	own := own(rec, by.Instance)
	// A record that was seen unchanged for its whole TTL is that of a term which its
	// holder has lost, and is not to lead again (S7).
	if own && c.view.Left(now.Mono) == 0 {
		c.ended(rec)
	}
	holds := own && !c.lapsed(rec) && !c.contested(now.Mono)
	if own && rec.Leader != by.Node {
		return nil, a, invalid("node", fmt.Sprintf("%q", by.Node), "is not the node of this instance")
	}
	if by.Token != 0 && (!holds || by.Token != rec.Token) {
		return nil, a, fmt.Errorf("leadership: key %q: %w: term %d is over", c.key, ErrLost, by.Token)
	}
	if holds && by.Beat != 0 && rec.Beat > by.Beat && !slices.Contains(by.wrote, rec.Beat) {
		a.Beat = rec.Beat
		return nil, a, c.copied()
	}
	claimant := election.Claimant{Node: by.Node, TTL: by.TTL, Hold: by.retry, Payload: by.Payload}
	if rec.Evicts(by.Node) {
		claimant.Cooldown = by.retry // it was asked to leave the seat to others
	}
	verdict, free := election.Decide(&c.view, &claimant, holds, now.Mono)
	beat := election.NextBeat(rec.Beat, clock.Stride())
	switch verdict {
	case election.MustLeave:
		return nil, a, fmt.Errorf("leadership: key %q: %w", c.key, asked(rec.Ask, by.Node))
	case election.MayRenew:
		if _, err := c.trust(rec.TTL()); err != nil {
			return nil, a, err // it would keep a seat by which nobody may lead
		}
		next := rec.Renewed(beat)
		if by.Payload != nil {
			next.Payload = by.Payload
		}
		return &next, a, nil
	case election.CannotFollow:
		return nil, a, fmt.Errorf("leadership: key %q: %w", c.key, foreign(rec.Followed()))
	case election.MustNot:
		return nil, a, fmt.Errorf("leadership: key %q: %w", c.key, ErrPaused)
	case election.MustEnd:
		return nil, a, errSession
	case election.MustWait:
		a.Wait = free - now.Mono
		return nil, a, nil
	}
	claimant.Instance = by.Instance
	c.token = election.NextToken(max(c.token, c.view.High), now.Time())
	next := claimant.Take(rec, c.token, beat, rec.LastEnding(), now.Time())
	return &next, a, nil
}

// errSession means that the session of the term that was there has to be ended first.
var errSession = errors.New("leadership: the session has to be ended first")

// endSession ends the session of the term that was there, unless it has changed (S11).
func (c *Claims) endSession(ctx context.Context) error {
	rec, err := endRide(ctx, c.register, c.view.Rec)
	if err == nil {
		c.see(c.view.Pair, rec)
	}
	return err
}

// limit is how long a call is waited for. While a term may stand it leaves time for
// another try, as that of a campaign does, unless the store is known to take that long.
func (c *Claims) limit(took time.Duration) time.Duration {
	left := c.view.Left(c.opts.clock.Now().Mono) - c.view.Rec.TTL()/5
	if left <= 0 {
		return DefaultCallTimeout
	}
	return min(DefaultCallTimeout, max(left/2, 2*took, c.view.Rec.TTL()/20))
}

// write writes what next returns, given what is known of the record, until that is
// acknowledged (S5); it returns that, or nil where next wants nothing to be written. After
// an error it is not known whether the last write stands.
func (c *Claims) write(ctx context.Context, next func() (*election.Record, error)) (*election.Record, error) {
	var rec *election.Record
	pair, err := c.register.UpdateFrom(ctx, c.view.Pair, func(found *store.KVPair, _ register.Earlier) (_ register.Change, err error) {
		if found != c.view.Pair {
			if err := c.saw(readRide(ctx, c.register, found, nil)); err != nil {
				return register.Leave, err
			}
		}
		if rec, err = next(); err != nil || rec == nil {
			return register.Leave, err
		}
		return register.Write(rec.Encode()), nil
	})
	if errors.Is(err, ErrUnsafeStore) {
		c.unsafe = err
	}
	if err != nil {
		return nil, err
	}
	if rec != nil {
		c.see(pair, *rec)
	}
	return rec, nil
}
