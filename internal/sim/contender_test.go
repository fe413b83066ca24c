package sim

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	leadership "github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/store"
)

// contender is one process that may lead, of a candidate or a holder, or that
// serves holders: with its machine, its link to the store, and what is known of it.
type contender struct {
	w           *world
	name        string // of the node and how many came before it
	node        string
	ttl, margin time.Duration
	retry       time.Duration
	extras
	claimant  claimant              // whom the checker asks; nil for a server
	candidate *leadership.Candidate // nil for all others
	serves    *served               // nil for all but servers
	machine   *machine
	link      *link // nil for a holder
	riding

	campaigns atomic.Int32 // how many were begun
	stopped   atomic.Bool

	mu     sync.Mutex
	trusts map[uint64]trust // by token
	work   *work
	began  time.Duration // when the latest campaign did
	seen   observation   // what was read last
	failed int           // health checks in a row, in this campaign
	fell   time.Duration // when the last of them did

	// Only the checker touches these.
	leading bool
	token   uint64        // of the term that it was last seen to lead
	since   time.Duration // when it was first seen to lead it
	over    map[uint64]bool
}

// claimant is who may lead: a candidate, or a process of a holder.
type claimant interface {
	IsLeader() bool
	Term() (leadership.Term, bool)
}

// trust is until when a term can be trusted, on the machine's monotonic clock.
type trust struct {
	until time.Duration // at the latest
	wall  int64         // the same on its wall clock
	sure  time.Duration // at least, if the candidate hears of it and its clocks go together
}

// observation is when somebody read the record, and, where a rival held it, when
// that had been written.
type observation struct {
	v       time.Duration
	written time.Duration
	ttl     time.Duration // 0: nobody else held it
}

// work is what Run was given, under way.
type work struct {
	term    leadership.Term
	ctx     context.Context
	derived context.Context // from ctx
}

// trust takes note of a write, attempted at v, that extends the trust in a term for
// that long, if it is ever heard of.
func (c *contender) trust(token uint64, v, length time.Duration, sure bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trusts[token] = c.extended(c.trusts[token], v, length, sure)
	c.seen = observation{v: c.w.now()}
}

func (c *contender) extended(t trust, v, length time.Duration, sure bool) trust {
	start := c.machine.read(v)
	until := start.Mono + length
	t.until = max(t.until, until)
	t.wall = max(t.wall, start.Wall+int64(length))
	if sure {
		t.sure = max(t.sure, until)
	}
	c.w.alarm(c.machine.when(until))
	return t
}

// trusted reports whether a term can be trusted at v.
func (c *contender) trusted(token uint64, v time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, t := c.machine.read(v), c.trusts[token]
	return t.holds(now) && (c.on[token] == "" || c.beats[c.on[token]].holds(now))
}

func (t trust) holds(now clock.Instant) bool {
	return now.Mono < t.until && now.Wall < t.wall // S4
}

// entitled reports whether a term that is over could still be trusted at v, for
// sure: then its work, if that was told to end, may take its time.
func (c *contender) entitled(token uint64, v time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	sure := c.trusts[token].sure
	if s := c.on[token]; s != "" {
		sure = min(sure, c.beats[s].sure)
	}
	return c.machine.mono(v) < sure && !c.machine.torn(v-2*slowest(c.ttl), v)
}

// begins takes note of a new campaign, which knows nothing of what was seen before.
func (c *contender) begins() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.began, c.failed = c.w.now(), 0
}

// check is the health check.
func (c *contender) check(ctx context.Context) error {
	var err error
	v := c.w.now()
	for _, s := range c.sick {
		switch {
		case !s.holds(v):
		case s.hangs:
			time.Sleep(s.to - v) // whatever ctx says
		default:
			err = errSick
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed++
	c.fell = c.w.now()
	if err == nil {
		c.failed = 0
	}
	if err != nil || ctx.Err() != nil {
		c.w.note(c.name, "health check %d: %v", c.failed, err)
	}
	c.w.recheck()
	return err
}

// ailing reports whether the last health check before v had failed.
func (c *contender) ailing(v time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed > 0 && c.fell < v
}

// ill reports whether so many checks have failed that it has to have stepped down
// by v.
func (c *contender) ill(v time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failures > 0 && c.failed >= c.failures && c.fell < v
}

// wait takes note of an addition to a record, which its writer has seen then.
func (c *contender) wait(rec record, holder *contender) {
	seen := observation{v: c.w.now()}
	if rec.held() && holder != c {
		seen.written, seen.ttl = seen.v, rec.ttl()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = seen
}

// sees takes note of what was read.
func (c *contender) sees(ctx context.Context, pair *store.KVPair, v time.Duration) {
	if pair != nil && pair.Key != c.w.ledger.key {
		return
	}
	seen := observation{v: c.w.now()}
	e, who, known := c.w.ledger.find(pair)
	if known && e.rec.Session != "" && who == c {
		c.looked(e.rec, v)
	}
	if known && e.rec.held() && who != c {
		seen.written, seen.ttl = e.v, e.rec.ttl()
		if e.rec.Session != "" {
			// It is not renewed: what counts is when it was there yet.
			seen.written, seen.ttl = seen.v, 2*e.rec.ttl()
			c.mu.Lock()
			defer c.mu.Unlock()
			c.half, c.halfway = seen, ctx
			return
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen, c.half = seen, observation{}
}

// isShown takes note of a vacancy that a watch showed, later than what was read: there is
// no more to wait for. Nor is there for a term that rides, once another has replaced it.
func (c *contender) isShown(pair *store.KVPair) {
	e, _, known := c.w.ledger.find(pair)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !known || e.v <= c.seen.written:
	case !e.rec.held():
		c.seen = observation{v: c.w.now()}
	case c.seen.written == c.seen.v && c.seen.ttl > 0:
		c.seen = observation{v: c.w.now(), written: e.v, ttl: min(c.seen.ttl, e.rec.ttl())}
	}
}

// sight returns what was last read in this campaign, or written.
func (c *contender) sight() (s observation, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen, c.seen.v > c.began
}

// stop stops the candidate.
func (c *contender) stop() {
	c.stopped.Store(true)
	c.candidate.Stop()
}

func (c *contender) working() *work {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.work
}

func (c *contender) setWork(w *work) *work {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.work
	c.work = w
	return old
}

// asked returns what a contender says of itself. Only the checker may ask.
func (c *contender) asked() (leadership.Term, bool) {
	if c.claimant == nil {
		return leadership.Term{}, false
	}
	c.machine.quiet.Store(true)
	defer c.machine.quiet.Store(false)
	leads := c.claimant.IsLeader()
	term, ok := c.claimant.Term()
	if leads != ok {
		c.w.violate("S3", "%s: IsLeader is %v and Term is %v", c.name, leads, ok)
	}
	return term, ok
}

// goesOn reports whether the context of work says that its term is not over. Only the
// checker may ask.
func (c *contender) goesOn(ctx context.Context) bool {
	c.machine.quiet.Store(true)
	defer c.machine.quiet.Store(false)
	open := ctx.Err() == nil
	select {
	case <-ctx.Done():
		if open {
			c.w.violate("S3", "%s: the context of its work is done, and its Err nil", c.name)
		}
	default:
		if !open {
			c.w.violate("S3", "%s: the context of its work is not done, and its Err is not nil", c.name)
		}
	}
	return open
}

// do is the work.
func (c *contender) do(ctx context.Context, term leadership.Term) error {
	w, v := c.w, c.w.now()
	derived, cancel := context.WithCancel(ctx)
	defer cancel()
	if old := c.setWork(&work{term, ctx, derived}); old != nil {
		w.violate("S8", "%s: work of term %d began before that of term %d returned", c.name, term.Token, old.term.Token)
	}
	w.note(c.name, "work of term %d begins", term.Token)
	w.recheck()
	dice := c.machine.dice.at(v, 'd')

	var err error
	done := time.NewTimer(1 << 62)
	if d := dice.spread(c.ttl/10, 10*c.ttl); dice.p(0.4) && v+d < w.faultsEnd {
		done.Reset(d)
		err = pick(dice, nil, errWork)
	}
	select {
	case <-derived.Done():
		err = pick(dice, nil, ctx.Err(), context.Cause(ctx), errWork)
		w.note(c.name, "work of term %d is to end: %v", term.Token, context.Cause(ctx))
		w.recheck()
		linger := dice.spread(50, c.ttl/50)
		if v := w.now(); !w.calm(v) {
			linger = w.untilHealed(dice, v, dice.spread(50, pick(dice, c.ttl/50, c.ttl, 3*c.ttl)))
		}
		time.Sleep(linger)
	case <-done.C:
	}
	w.note(c.name, "work of term %d returns: %v", term.Token, err)
	w.recheck()
	c.setWork(nil)
	return err
}
