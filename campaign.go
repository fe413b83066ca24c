package leadership

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/lease"
	"github.com/seed-a1d591d3/leadership/internal/register"
)

// campaign is one run of a candidate. It drives a Machine, which decides, and has the clock, the
// calls of the store, the lease, work and listeners. Its steps are taken one after another, and
// none blocks. Methods that other goroutines may call say so.
type campaign struct {
	on       observer
	by       *Candidate
	ctx      context.Context // for its values only
	previous *campaign       // that has to end first, or nil
	machine  *election.Machine
	rider    *lease.Rider // or nil
	work     work
	health   *health // nil without a check
	audience audience
	streams  streams
	err      error       // what ended the campaign, other than a stop
	panicked *PanicError // the same, if the work has panicked

	stopping atomic.Pointer[error] // why the campaign is to end
	done     chan struct{}         // closed when it has ended
}

// mode is how a campaign is run: with one of these.
type mode struct {
	stream   *electionStream
	work     func(context.Context, Term) error
	function any // the user's function that work is, or calls
	signals  *notices
}

// newCampaign makes a campaign, which begins once its loop is started.
func newCampaign(ctx context.Context, by *Candidate, previous *campaign, m mode) *campaign {
	c := &campaign{
		on: observer{kv: by.kv, key: by.key, opts: by.opts}, by: by, ctx: ctx, previous: previous,
		work:    work{do: m.work, function: m.function},
		streams: streams{used: m.stream != nil}, done: make(chan struct{}),
	}
	if by.opts.health.probe != nil {
		c.health = &health{healthOptions: by.opts.health}
	}
	c.on.report = c.problem
	c.on.loop.Init(by.opts.clock, c.step)
	c.audience.open(by.opts.callbacks, m.signals)
	return c
}

// stop ends the campaign, for the first reason that is given. It does not block; safe for
// concurrent use.
func (c *campaign) stop(why error) {
	if c.stopping.CompareAndSwap(nil, &why) {
		if t := c.by.term.Load(); t != nil {
			t.lease.End(why)
		}
		c.on.loop.Wake()
	}
}

// ending reports whether the campaign is to end.
func (c *campaign) ending() bool { return c.err != nil || c.stopping.Load() != nil }

// step goes on with the campaign until it has to wait.
func (c *campaign) step() {
	if c.machine == nil && !c.enter() {
		return
	}
	for {
		if err := c.rider.Err(); err != nil && c.err == nil {
			c.err = err
		}
		if c.ending() {
			c.machine.Stop()   // before a claim that was acknowledged begins a term
			c.on.watch.Close() // which takes its time to end
		}
		c.answer()
		now := c.on.opts.clock.Now()
		c.on.hinted(c.machine.Hint)
		c.handOver()
		c.checkHealth(now.Mono)
		c.workReturned(now)
		c.machine.Tick(now)
		c.follow(result{}, now)
		c.complain(now.Mono)
		c.announce(now.Mono)
		c.rider.As(c.machine.Instance())
		c.machine.Ride(c.rider.Name())
		c.machine.Tell(*c.by.payload.Load())
		switch s := c.machine.Step(now); s.Do {
		case election.Look:
			c.on.look(c.ctx, now, s.Limit, c.by.term.Load() != nil, s.Idle, c.machine.View())
		case election.Put, election.End:
			c.on.write(c.ctx, now, s, s.Op == "vacate" || c.by.term.Load() != nil)
		case election.Finish:
			c.on.loop.Last()
			go c.finish() // which waits
			return
		case election.Wait:
			c.on.loop.Sleep(min(clock.Together(s.Until, s.Slack), c.health.due(), c.work.due(), c.on.overdue(now.Mono, c.on.opts.config.Limit)))
			return
		}
	}
}

// enter begins the campaign once the one before it has ended, and reports whether it
// has. Its channels do not wait for that to be closed.
func (c *campaign) enter() bool {
	if c.previous != nil {
		select {
		case <-c.previous.done:
			c.previous = nil
		default:
			c.handOver()
			if c.ending() {
				c.dismiss()
				c.endStreams()
				<-c.previous.done
				c.end()
			}
			return false
		}
	}
	o := c.on.opts
	c.on.open(c.ctx, func() time.Duration { return o.config.Retry })
	now := o.clock.Now().Mono
	if c.health != nil {
		c.health.next = now
	}
	c.machine = election.NewMachine(&o.config, election.Claimant{
		Node: c.by.node, Instance: rand.Text(), Priority: o.priority, TTL: c.by.ttl, Hold: o.config.Retry, Payload: *c.by.payload.Load(), Format: o.format,
	}, c.work.do != nil, &c.by.issued, now)
	key := c.on.key
	c.rider = o.session.Ride(c.ctx, func(session string) string { return election.NameSession(key, session) }, c.on.loop.Wake)
	return true
}

// answer tells the machine what has come of the call that has returned, if one has.
func (c *campaign) answer() {
	call, r := c.on.returned()
	if call == nil {
		return
	}
	now := c.on.opts.clock.Now()
	c.follow(r, now) // whether the lease is over comes first
	switch {
	case call.ends:
		c.machine.SessionEnded(r.err != nil, register.Refused(r.err), now)
	case call.puts && r.err != nil:
		c.machine.PutFailed(register.Refused(r.err), now)
	case call.puts:
		c.on.answered("put", now.Mono)
		c.machine.Wrote(r.pair, r.wrote, now)
	case r.err != nil:
		c.machine.LookFailed(now)
	case r.foreign != nil:
		c.machine.ReadForeign(now)
	default:
		c.on.answered("get", now.Mono)
		c.machine.Read(r.pair, r.rec, now)
	}
	c.follow(r, now)
}

// follow tells the machine that the lease is over, if it is, and does what the events
// say. r is what they are about.
func (c *campaign) follow(r result, now clock.Instant) {
	if t := c.by.term.Load(); t != nil && !t.Valid() {
		c.machine.Over(reasonOf(context.Cause(t.lease.Context())))
	}
	for _, e := range c.machine.Events() {
		switch t := c.by.term.Load(); e.Kind {
		case election.Began:
			c.begin(e.Record, e.Start, now)
		case election.Renewed:
			if t != nil {
				t.lease.Renew(e.Start)
			}
		case election.EndLease:
			if t != nil {
				t.lease.End(reasonToEnd(e, c.by.node))
				c.follow(r, now) // it ends before an error is told
			}
		case election.WoundUp:
			c.ended(t)
		case election.Changed:
			if r.wrote == nil && r.pair != nil {
				c.on.watch.Again()
			}
		case election.Failed:
			c.failed(r, now.Mono)
		case election.Rewriting:
			c.report(fmt.Errorf("%w: writing the record of term %d again", ErrRecordLost, e.Record.Token))
		case election.Copied:
			c.report(copied(e.Record))
		case election.Condemned:
			c.err = unsafeStore(c.on.key, e.Wrote, e.Found)
		}
	}
}

// begin begins a term, unless its trust has run out already.
func (c *campaign) begin(rec election.Record, start, now clock.Instant) {
	t := &term{Term: termOf(rec), payload: &c.by.payload}
	o := c.on.opts
	ctx := context.WithValue(context.WithoutCancel(c.ctx), termKey{}, t)
	var on *lease.Lease
	if rec.Session != "" {
		if on = c.rider.Lease(rec.Session); on == nil {
			c.machine.TooLate(now.Mono)
			return
		}
	}
	t.lease = lease.Riding(ctx, on, o.clock, o.config.Trust, start, ErrLost, c.leaseEnded)
	if !t.Valid() {
		c.machine.TooLate(now.Mono)
		return
	}
	c.by.term.Store(t)
	c.by.news.Ring()
	if why := c.stopping.Load(); why != nil {
		t.lease.End(*why)
	}
	if s := c.streams.current; s != nil {
		s.Set(t)
	}
	c.audience.began(t)
	if c.work.do != nil {
		c.work.begin(t, c.on.loop.Wake)
	}
	c.on.logger().Info(o.word("leading", "session begun"), "node", c.by.node, "token", rec.Token)
}

// ended takes note that a term is wound up.
func (c *campaign) ended(t *term) {
	why := context.Cause(t.lease.Context())
	c.on.logger().Info(c.on.opts.word("no longer leading", "session over"), "node", c.by.node, "token", t.Token, "reason", why)
	c.by.term.Store(nil)
	if s := c.streams.current; s != nil {
		s.Set(nil)
	}
	c.audience.ended(t, why)
}

// leaseEnded wakes those who have to know. Safe for concurrent use.
func (c *campaign) leaseEnded() {
	c.on.loop.Wake()
	c.streams.wake()
}

// failed reports the failure of a call.
func (c *campaign) failed(r result, now time.Duration) {
	op, err := "get", r.err
	switch {
	case r.wrote != nil:
		op = "put"
	case r.foreign != nil:
		err = fmt.Errorf("leadership: key %q: %w", c.on.key, r.foreign)
	case err == nil:
		err = fmt.Errorf("leadership: key %q: %w", c.on.key, foreign(c.machine.View().Rec.Followed()))
	}
	c.on.trouble(op, err, now)
}

// report reports an error that does not end the campaign.
func (c *campaign) report(err error) { c.problem(fmt.Errorf("leadership: key %q: %w", c.on.key, err)) }

// finish ends what belongs to the campaign, waits for it, and closes the channels.
func (c *campaign) finish() {
	session := c.rider.Name()
	if call, on := c.on.call, c.rider.Lease(session); call != nil || on != nil && c.machine.MayHold() {
		go c.release(call, on, session)
	}
	watched := c.on.watch.Close()
	c.health.end()
	<-watched
	c.dismiss()
	c.rider.Done()
	c.endStreams()
	c.end()
}

func (c *campaign) end() {
	c.by.rival.Store(nil)
	c.on.loop.Last()
	close(c.done)
}

// outcome waits until a campaign of Run has ended and returns, or panics with, what
// ended it.
func (c *campaign) outcome() error {
	<-c.done
	if c.panicked != nil {
		panic(c.panicked)
	}
	return c.err
}

// checkHealth goes on with the checks of health.
func (c *campaign) checkHealth(now time.Duration) {
	if c.health == nil {
		c.machine.Health(true, false)
		return
	}
	switch err := c.health.step(context.WithoutCancel(c.ctx), now, c.on.loop.Wake); {
	case err != nil:
		quiet := !c.health.sick.failed("check", now)
		c.on.told(quiet, c.health.sick.attrs(), fmt.Errorf("leadership: key %q: %w", c.on.key, err))
	case c.health.failed == 0:
		if after, tell := c.health.sick.answered("check", now); tell {
			c.on.logger().Warn("healthy again", "node", c.by.node, "after", clock.Rounded(after), "failures", c.health.sick.count)
		}
	}
	c.machine.Health(c.health.well(), c.health.ill())
}

// workReturned takes in what the work of the term has returned, if it has.
func (c *campaign) workReturned(now clock.Instant) {
	did := c.work.take()
	if did == nil {
		return
	}
	c.work.running = false
	t := c.by.term.Load()
	if t == nil {
		return // no term is wound up before its work has returned (S8)
	}
	if c.panicked = did.panicked; c.panicked != nil {
		c.err = c.panicked
	}
	// That the term was over is no failure of the work.
	if c.err == nil && did.err != nil && !(t.lease.Over() && (errors.Is(did.err, t.lease.Context().Err()) || errors.Is(did.err, context.Cause(t.lease.Context())))) {
		c.err = did.err
	}
	c.follow(result{}, now)
	c.machine.Worked(now.Mono)
	t.lease.End(ErrResigned)
	c.follow(result{}, now)
}

// complain reports, less and less often, that the work goes on although its term is over.
func (c *campaign) complain(now time.Duration) {
	t, w := c.by.term.Load(), &c.work
	if t == nil || !t.lease.Over() || !w.running {
		return
	}
	if w.patience == 0 {
		w.since, w.patience = now, c.on.opts.config.Retry
	}
	late := now - w.since
	if late < w.patience {
		return
	}
	w.patience *= 2
	c.report(fmt.Errorf("%s has not returned %v after the end of term %d (%w): the seat is kept until its record expires",
		c.work.name(c.on.opts.workName), clock.About(late), t.Token, context.Cause(t.lease.Context())))
}
