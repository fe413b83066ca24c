package leadership

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/register"
	"github.com/seed-a1d591d3/leadership/internal/watches"
	"github.com/seed-a1d591d3/leadership/store"
)

// never is a reading of the monotonic clock that does not come.
const never = time.Duration(math.MaxInt64)

// later is d after now, or never where that is beyond counting.
func later(now, d time.Duration) time.Duration {
	if d > 0 && now > never-d {
		return never
	}
	return now + d
}

// maxBackoff is the longest wait between tries while the store fails, though
// the retry interval be longer.
const maxBackoff = 5 * time.Second

// seat is the key of an election as one candidate or follower deals with it:
// what is known of the record, one call of the store at a time (S6), and a watch
// that hints when to look again. Only its turns touch it, but for hint.
type seat struct {
	turns
	kv     store.Store
	key    string
	opts   *options
	report func(error)
	outage outage
	quiet  bool  // the log is not told of what is reported
	aside  []any // what it is told in addition

	sight   sight
	foreign bool // what is there is no record of ours

	call      *call         // under way, or nil
	fails     int           // failed calls in a row
	notBefore time.Duration // no call before this, after failures
	poll      time.Duration // when to look next, though nothing hints at it
	hinted    bool          // the watch said something that we did not know

	alarm *time.Timer // begins the next turn at the latest, or nil
	hint  atomic.Pointer[store.KVPair]
	watch *watches.Watch
}

// open starts the watch. now is a reading of the monotonic clock, which may be
// below 0.
func (s *seat) open(ctx context.Context, now time.Duration, retry func() time.Duration) {
	s.notBefore, s.poll = now, now
	s.watch = watches.Open(ctx, s.kv, s.key,
		func() time.Duration { return s.opts.pollAfter(retry()) },
		func(pair *store.KVPair) {
			if pair == nil {
				pair = &store.KVPair{}
			}
			s.hint.Store(pair)
			s.nudge()
		})
}

// start makes a call of the store that is of no use after limit.
func (s *seat) start(ctx context.Context, op string, now clock.Instant, limit time.Duration, f func(context.Context) result) *call {
	c := &call{op: op, start: now, until: now.Mono + limit, result: make(chan result, 1)}
	ctx, c.cancel = context.WithTimeoutCause(context.WithoutCancel(ctx), limit, register.NoAnswer(limit))
	s.call = c
	go func() {
		defer c.cancel()
		r, err := register.InTime(ctx, func(ctx context.Context) (result, error) { r := f(ctx); return r, r.err })
		r.err = err
		c.result <- r
		s.nudge()
	}()
	return c
}

// look begins to read the record.
func (s *seat) look(ctx context.Context, now clock.Instant, limit time.Duration) {
	s.hinted = false
	s.start(ctx, "get", now, limit, func(ctx context.Context) result { return look(ctx, s.kv, s.key) })
}

// looked takes in what a look found at now. It says whether the look
// succeeded, and whether it found a change. interval is how long to wait for
// the next.
func (s *seat) looked(r result, now time.Duration, interval time.Duration) (ok, changed bool) {
	s.poll = now + s.opts.pollAfter(interval)
	if r.err != nil {
		s.failed(r.err, now, interval)
		return false, false
	}
	if r.foreign != nil {
		s.foreign = true
		s.failed(fmt.Errorf("leadership: key %q: %w", s.key, r.foreign), now, interval)
		return false, false
	}
	s.foreign = false
	s.answered("get", now)
	changed = s.sight.see(r.pair, r.rec, now)
	if changed && r.pair != nil {
		s.watch.Again()
	}
	return true, changed
}

// failed takes note of a failure and waits longer after each in a row.
func (s *seat) failed(err error, now time.Duration, retry time.Duration) {
	s.fails++
	s.notBefore = now + s.opts.backoff(s.fails, min(retry, maxBackoff))
	s.trouble("get", err, now)
}

// trouble reports an error that may come again and again: the log is told of it less
// and less often.
func (s *seat) trouble(op string, err error, now time.Duration) {
	s.quiet, s.aside = !s.outage.failed(op, now), s.outage.attrs()
	s.report(err)
	s.quiet, s.aside = false, nil
}

// answered takes note of a call that has succeeded.
func (s *seat) answered(op string, now time.Duration) {
	if after, tell := s.outage.answered(op, now); tell {
		s.logger().Warn("the store answers again", "after", clock.Rounded(after), "failures", s.outage.count)
	}
}

// warn logs an error that is reported, if the log is to be told of it.
func (s *seat) warn(msg string, err error, args ...any) {
	if !s.quiet {
		s.logger().Warn(msg, append(append(args, "error", err), s.aside...)...)
	}
}

// attend compares the last hint with what is known by now.
func (s *seat) attend() {
	if s.call != nil {
		return // its result may be what the hint is about
	}
	hint := s.hint.Swap(nil)
	switch {
	case hint == nil || !s.sight.Known:
	case len(hint.Value) == 0:
		s.hinted = s.hinted || s.sight.Pair != nil
	case s.sight.Pair == nil || !bytes.Equal(hint.Value, s.sight.Pair.Value):
		// What we wrote ourselves may be shown to us late; but a request that
		// was added to it is news.
		rec, err := election.Parse(hint.Value)
		echo := err == nil && s.sight.mine() && rec.Instance == s.sight.by.Instance && rec.Beat <= s.sight.Rec.Beat && rec.Ask.Same(s.sight.Rec.Ask)
		s.hinted = s.hinted || !echo
	}
}

// received begins a turn. It returns the call that has returned, if any.
func (s *seat) received() (*call, result) {
	if s.alarm != nil {
		s.alarm.Stop()
		s.alarm = nil
	}
	if s.call != nil {
		select {
		case r := <-s.call.result:
			c := s.call
			s.call = nil
			return c, r
		default:
		}
	}
	return nil, result{}
}

// rest ends a turn: the next begins when the call under way returns, something
// nudges, or the monotonic clock shows until.
func (s *seat) rest(until time.Duration) {
	if until == never {
		return
	}
	now := s.opts.clock.Now().Mono
	s.alarm = s.opts.clock.AfterFunc(until-now, s.nudge)
	// Whoever is paused between reading the clock and arming a timer arms it
	// too late.
	if s.opts.clock.Now().Mono-now > tardiness {
		s.nudge()
	}
}

// late says, once, that the call under way has not returned although its
// deadline is over. It returns when to ask again.
func (s *seat) late(now time.Duration, limit time.Duration) time.Duration {
	c := s.call
	if c.late {
		return never
	}
	at := c.until + limit/4
	if now < at {
		return at
	}
	if over := now - at; over > register.HeldUp {
		c.held, c.until = c.held+over, now // the store could not have answered
		return c.until + limit/4
	}
	c.late = true
	s.trouble("get", fmt.Errorf("leadership: %s %q: %w: the store has not returned from a call after %v; waiting for it",
		c.op, s.key, context.DeadlineExceeded, clock.Rounded(now-c.start.Mono-c.held)), now)
	return never
}

// logger is where the seat's owner logs.
func (s *seat) logger() *slog.Logger { return s.opts.log.With("key", s.key) }
