package leadership

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/indexes"
	"github.com/seed-a1d591d3/leadership/internal/loop"
	"github.com/seed-a1d591d3/leadership/internal/register"
	"github.com/seed-a1d591d3/leadership/internal/watches"
	"github.com/seed-a1d591d3/leadership/store"
)

// observer is the key of an election as a candidate or follower deals with it: one call
// of the store at a time (S6), a watch that hints when to look again, and the failures
// that are told. Only the steps of its loop touch it, but for hint.
type observer struct {
	kv    store.Store
	key   string
	opts  *options
	loop  loop.Loop
	call  *call // under way, or nil
	hint  atomic.Pointer[watches.Shown]
	shown *hint // what the watch has shown, until it is passed on
	watch *watches.Watch

	report func(error)
	outage outage
	quiet  bool  // the log is not told of what is reported
	aside  []any // what it is told in addition
}

// open starts the watch. retry is how long to go without it.
func (o *observer) open(ctx context.Context, retry func() time.Duration) {
	o.watch = watches.Open(ctx, o.kv, o.key,
		func() time.Duration { return election.PollAfter(o.opts.clock.Float64, retry()) },
		func(shown *watches.Shown) {
			o.hint.Store(shown)
			o.loop.Wake()
		})
}

// hint is what a watch has shown, and the time after it had (S2).
type hint struct {
	*watches.Shown
	came time.Duration
}

// parse returns the record that was shown. Many that share a watch parse it once.
func (h *hint) parse() (election.Record, error) {
	r := h.Read(func(pair *store.KVPair) any { return parsed(pair, nil) }).(result)
	return r.rec, r.foreign
}

// start makes a call of the store that is of no use after limit. It waits for its turn,
// unless it is urgent, as all calls of a leader are.
func (o *observer) start(ctx context.Context, op string, now clock.Instant, limit time.Duration, urgent bool, f func(context.Context) result) {
	c := &call{op: op, start: now, until: now.Mono + limit, result: make(chan *result, 1)}
	ctx, c.cancel = context.WithTimeoutCause(context.WithoutCancel(ctx), limit, register.NoAnswer(limit))
	o.call = c
	go func() {
		defer c.cancel()
		c.result <- new(o.made(ctx, op, urgent, f))
		o.loop.Wake()
	}()
}

// made makes a call, when it is its turn, and returns what it has come to.
func (o *observer) made(ctx context.Context, op string, urgent bool, f func(context.Context) result) result {
	if !urgent {
		done, err := o.turn(ctx, op)
		if err != nil {
			return result{err: err}
		}
		defer done()
	}
	r, err := register.InTime(ctx, func(ctx context.Context) (result, error) { r := f(ctx); return r, r.err })
	r.err = err
	return r
}

// turn waits for the turn of a call.
func (o *observer) turn(ctx context.Context, op string) (done func(), err error) {
	if done, err = o.watch.Turn(ctx); err != nil {
		return nil, fmt.Errorf("leadership: %s %q: %w", op, o.key, err)
	}
	return done, nil
}

// look begins to read the record, of which known was found last. One that is idle may wait that
// long, to be read together with many others, unless the watch shows something meanwhile.
func (o *observer) look(ctx context.Context, now clock.Instant, limit time.Duration, urgent bool, idle time.Duration, known *view) {
	if idle == 0 || !o.gather(ctx, now, limit, idle, known) {
		o.start(ctx, "get", now, limit, urgent, func(ctx context.Context) result { return o.read(ctx, known) })
	}
}

// gather begins a look together with others, and reports whether it has.
func (o *observer) gather(ctx context.Context, now clock.Instant, limit, idle time.Duration, known *view) (ok bool) {
	c := &call{op: "get", start: now, until: now.Mono + limit, result: make(chan *result, 1)}
	c.gathered = &gathered{result: c.result, on: o, ctx: ctx, known: known, end: c.until, calm: !o.outage.failing, soon: idle < limit/64}
	if c.gathered.member, ok = o.watch.Gather(ctx, o.kv, o.key, idle, idle+(limit-idle)/2, c.gathered); ok {
		o.call = c
	}
	return ok
}

// gathered is a look that is made together with others.
type gathered struct {
	result chan<- *result // the call's
	on     *observer
	ctx    context.Context
	known  *view
	member watches.Member
	end    time.Duration // until, as it was when it began
	calm   bool          // the calls before it have succeeded
	soon   bool          // it is about to be made
}

// unchanged is what a look has come to that has found what is known.
var unchanged = &result{same: true}

// Told implements watches.Reader.
func (g *gathered) Told(pair *store.KVPair, err error) {
	o := g.on
	r, session := o.parsed(g.known, pair, nil)
	switch shown := o.watch.Recall(o.kv, session, r.recent()); {
	case err != nil:
		r = result{alone: true}
	case session == "":
	case shown != nil:
		r.shows(session, shown, nil)
	default:
		go g.readSession(r, session)
		return
	}
	if r.same && r.rec.Ride == nil {
		g.result <- unchanged
	} else {
		g.result <- new(r)
	}
	if r.same && g.calm { // there is nothing to log, which may block
		o.loop.Run()
	} else {
		o.loop.Wake()
	}
}

// readSession reads the session that the record rides on.
func (g *gathered) readSession(r result, session string) {
	within := max(g.end-g.on.opts.clock.Now().Mono, r.recent())
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(g.ctx), within, register.NoAnswer(within))
	defer cancel()
	shown, err := g.on.session(ctx, r, session)
	r.shows(session, shown, err)
	g.result <- &r
	g.on.loop.Wake()
}

// alone makes the look by itself.
func (g *gathered) alone() {
	o, now := g.on, g.on.opts.clock.Now()
	o.start(g.ctx, "get", now, max(g.end-now.Mono, time.Millisecond), false, func(ctx context.Context) result { return o.read(ctx, g.known) })
	o.call.until = g.end
}

// write begins a Put or an End.
func (o *observer) write(ctx context.Context, now clock.Instant, s election.Step, urgent bool) {
	o.start(ctx, s.Op, now, s.Limit, urgent, func(ctx context.Context) result {
		if s.Do == election.End {
			return o.endSession(ctx, s)
		}
		value := s.Record.Encode()
		r := put(ctx, o.kv, o.key, value, s.Previous)
		r.wrote = value
		return r
	})
	o.call.puts, o.call.ends = s.Do == election.Put, s.Do == election.End
}

// returned returns the call that has returned, if any.
func (o *observer) returned() (*call, result) {
	if o.call != nil {
		select {
		case r := <-o.call.result:
			c := o.call
			o.call = nil
			switch {
			case r.alone:
				c.gathered.alone()
				return nil, result{}
			case r == unchanged:
				return c, unchangedFrom(c.gathered.known)
			}
			return c, *r
		default:
		}
	}
	return nil, result{}
}

// hinted passes the last hint of the watch on, once no call is under way, whose result may
// be what the hint is about.
func (o *observer) hinted(tell func(pair *store.KVPair, came time.Duration, parse func() (election.Record, error))) {
	if shown := o.hint.Swap(nil); shown != nil {
		o.shown = &hint{shown, o.opts.clock.Now().Mono}
	}
	switch h := o.shown; {
	case h == nil:
	case o.call == nil:
		o.shown = nil
		tell(h.Pair, h.came, h.parse)
	case o.call.gathered != nil && !o.call.gathered.soon && o.call.gathered.member.Leave():
		o.call.gathered.alone()
	}
}

// overdue reports, once, that the call under way has not returned although its deadline
// is over. It returns when to ask again.
func (o *observer) overdue(now time.Duration, limit time.Duration) time.Duration {
	c := o.call
	if c == nil || c.late {
		return clock.Never
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
	o.trouble("get", fmt.Errorf("leadership: %s %q: %w: the store has not returned from a call after %v; waiting for it",
		c.op, o.key, context.DeadlineExceeded, clock.About(now-c.start.Mono-c.held)), now)
	return clock.Never
}

// trouble reports an error that may come again and again: the log is told of it less
// and less often.
func (o *observer) trouble(op string, err error, now time.Duration) {
	o.told(!o.outage.failed(op, now), o.outage.attrs(), err)
}

// told reports an error, of which the log is told, if it is, with more.
func (o *observer) told(quiet bool, aside []any, err error) {
	o.quiet, o.aside = quiet, aside
	o.report(err)
	o.quiet, o.aside = false, nil
}

// answered takes note of a call that has succeeded.
func (o *observer) answered(op string, now time.Duration) {
	if after, tell := o.outage.answered(op, now); tell {
		o.logger().Warn("the store answers again", "after", clock.Rounded(after), "failures", o.outage.count)
	}
}

// warn logs an error that is reported, if the log is to be told of it.
func (o *observer) warn(msg string, err error, args ...any) {
	if !o.quiet {
		o.logger().Warn(msg, append(append(args, "error", err), o.aside...)...)
	}
}

func (o *observer) logger() *slog.Logger { return o.opts.log.With("key", o.key) }

// call is one call of the store under way, in a goroutine of its own: it may
// go on for as long as the store likes, and nobody is held up by it (S6).
type call struct {
	op     string
	start  clock.Instant // read before the call was made (S1)
	until  time.Duration // the deadline on the monotonic clock
	puts   bool          // it is a write of the record
	ends   bool          // it is to end a session
	late   bool          // reported as late
	held   time.Duration // for how long this process was held up meanwhile
	cancel context.CancelFunc
	result chan *result // gets exactly one

	gathered *gathered // of a look that is made together with others, or nil
}

// end has the call return soon.
func (c *call) end() {
	switch {
	case c.gathered == nil:
		c.cancel()
	case c.gathered.member.Leave():
		c.result <- &result{err: context.Canceled}
	}
}

// view is what an observer has seen. It does not change while a call is under way.
type view = election.View[election.Record]

// read reads the record, and that of the session that it rides on, unless that is its own.
func (o *observer) read(ctx context.Context, known *view) result {
	pair, err := at(o.kv, o.key).Get(ctx)
	r, session := o.parsed(known, pair, err)
	if session != "" {
		shown, err := o.session(ctx, r, session)
		r.shows(session, shown, err)
	}
	return r
}

// unchangedFrom is the result of a read that has found what is known.
func unchangedFrom(known *view) result {
	r := result{pair: known.Pair, rec: known.Rec, same: true}
	r.rec.Ride = nil
	return r
}

// parsed is what a read has found, and the key of the session that is to be read, or "".
func (o *observer) parsed(known *view, pair *store.KVPair, err error) (r result, session string) {
	switch {
	case o.opts.format == election.Sessions:
		return parsedSession(pair, err), ""
	case known.Pair != nil && indexes.Same(known.Pair, pair):
		r = unchangedFrom(known)
	default:
		r = parsed(pair, err)
	}
	if session = r.session(o.key); session == "" || session != o.opts.session.Key() {
		return r, session
	}
	if !o.opts.session.Carries(r.rec.Instance) {
		r.rec.Ride = &election.Ride{Left: true}
	}
	return r, ""
}

// session reads the record of a session, or returns what was read recently: it is the same of
// many terms. An old one does no harm: to end it takes that it has not changed, and that it has
// ended is for good (S11).
func (o *observer) session(ctx context.Context, r result, key string) (*watches.Shown, error) {
	return o.watch.Recent(ctx, o.kv, key, r.recent(), func() (*store.KVPair, error) { return at(o.kv, key).Get(ctx) })
}

// recent is how old the record of the session may be that a term rides on.
func (r *result) recent() time.Duration { return max(r.rec.TTL(), MinTTL) / 12 }

// shows takes in what was found of the session under key.
func (r *result) shows(key string, shown *watches.Shown, err error) {
	found := result{err: err}
	if err == nil {
		found = shown.Read(func(pair *store.KVPair) any { return parsedSession(pair, nil) }).(result)
	}
	r.ridesOn(key, found)
}

// endSession ends the session of another that has not changed for its TTL. Of many rivals in
// one process one does so.
func (o *observer) endSession(ctx context.Context, s election.Step) result {
	key, err := s.Seen.SessionKey(o.key)
	if err != nil {
		return result{err: err}
	}
	state := "\x00" + key // that is ended
	if s.Previous != nil {
		state += "\x00" + strconv.FormatUint(s.Previous.LastIndex, 10)
	}
	_, err = o.watch.Recent(ctx, o.kv, state, s.Limit, func() (*store.KVPair, error) {
		r := put(ctx, o.kv, key, s.Record.Encode(), s.Previous)
		o.watch.Changed(o.kv, key)
		return r.pair, r.err
	})
	return result{err: err}
}
