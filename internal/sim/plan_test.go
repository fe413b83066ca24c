package sim

import (
	"slices"
	"time"

	leadership "github.com/seed-a1d591d3/leadership"
)

// plan is all of a world that is decided before it begins.
type plan struct {
	ttl        time.Duration // what the seed's time scale is taken from
	longestTTL time.Duration
	retry      time.Duration // the longest retry interval of a candidate
	latency    time.Duration // the longest way to the store or back when all is well
	faults     time.Duration // how long they last
	calm       time.Duration // how long the leader has to stand after them
	walls      bool          // all clocks are right
	shy        bool          // the checker doesn't ask a process that is paused, or may not have noticed a jump
	tampers    []time.Duration
	strays     []time.Duration // when somebody tampers with a session
	cuts       []cutPlan
	asks       []askPlan
	patience   time.Duration // how long a free seat may be left to others that are to have it
	rides      bool          // there are riders
	slots      []slotPlan
	follower   followerPlan
	servers    []serverPlan // of holders, where there are any
	holders    []holderPlan
}

// slotPlan is one place for a candidate: a node whose process is restarted now
// and then.
type slotPlan struct {
	node    string
	start   time.Duration
	lasts   bool // is running when the faults end
	works   bool // uses Run rather than RunForElection
	rides   bool // its terms ride on a session
	ttl     time.Duration
	margin  time.Duration // and the grace
	retry   time.Duration
	options []leadership.Option
	session []leadership.Option // those that its session has, too
	extras
	life    time.Duration // how long a process typically lives
	resigns float64       // probability that it resigns, each TTL
	slow    float64       // probability that a reader is slow before it reads
	crashes float64       // probability that its end is a crash
	machine machinePlan
	link    linkPlan
}

// extras are what a candidate may do beyond renewing and resigning.
type extras struct {
	relinquish time.Duration // 0: never
	priority   int
	sick       []sickness
	failures   int // of health checks that make it step down; 0: no checks
}

// sickness is a time in which health checks fail, or hang.
type sickness struct {
	span
	hangs bool
}

// askPlan is what an operator asks.
type askPlan struct {
	at      time.Duration
	request leadership.Request
}

type followerPlan struct {
	options []leadership.Option
	poll    time.Duration // it looks at least this often
	margin  time.Duration // 0: a fifth of the leader's TTL
	slow    float64
	machine machinePlan
	link    linkPlan
}

func newPlan(d dice) plan {
	c := d.rolls()
	p := plan{ttl: c.spread(100*time.Millisecond, 20*time.Second).Round(time.Millisecond), walls: c.p(0.3), shy: c.p(0.5)}
	p.latency = p.ttl / 500
	p.faults = c.between(5*p.ttl, pick(c, time.Duration(6), 8, 12, 20)*p.ttl)
	p.calm = c.between(3*p.ttl/2, 3*p.ttl)
	rough := pick(c, 0.1, 0.3, 0.6, 1)
	mixed := c.p(0.25) // TTLs differ

	n, shortest := pick(c, 2, 2, 3, 3, 4, 5, 7), p.ttl
	for i := range n {
		s := slotPlan{
			node:  string(rune('a' + i)),
			start: c.between(0, pick(c, p.ttl/10, 5*p.ttl)),
			lasts: c.p(0.7), works: c.p(0.5),
			ttl:     p.ttl,
			life:    c.spread(p.ttl, pick(c, time.Duration(10), 100)*p.ttl),
			resigns: pick(c, 0, 0.05, 0.3),
			slow:    pick(c, 0, 0.3, 0.9),
			crashes: pick(c, 0, 0.5),
		}
		if mixed {
			s.ttl = c.spread(max(p.ttl/3, 100*time.Millisecond), p.ttl).Round(time.Millisecond)
		}
		shortest = min(shortest, s.ttl)
		p.longestTTL = max(p.longestTTL, s.ttl)
		s.options, s.margin, s.retry = candidateOptions(c, &p, s.ttl)
		s.session = slices.Clone(s.options)
		s.machine = p.machine(c, rough)
		s.link = p.link(c, rough)
		p.slots = append(p.slots, s)
	}
	p.slots[c.n(n)].lasts = true
	for i := range p.slots {
		p.slots[i].embellish(c, &p)
	}
	p.request(c)

	f := &p.follower
	f.poll = max(time.Second, p.longestTTL/3)
	if c.p(0.5) || p.ttl < time.Second && c.p(0.9) {
		// One that looks less often than a leader's TTL loses sight of it.
		f.poll = c.spread(shortest/5, shortest/2)
		f.options = append(f.options, leadership.WithRetryInterval(f.poll))
	}
	if c.p(0.3) {
		f.margin = c.between(p.ttl/5, p.ttl)
		f.options = append(f.options, leadership.WithMargin(f.margin))
	}
	f.slow = pick(c, 0, 0.3, 0.9)
	f.machine, f.link = p.machine(c, rough), p.link(c, rough)

	if c.p(0.3) {
		for range 1 + c.n(4) {
			p.tampers = append(p.tampers, c.between(p.ttl, p.faults))
		}
	}
	if c := d.child("standby").rolls(); c.p(0.3) {
		for v := c.between(0, 5*p.ttl); v < p.faults; v += c.spread(p.ttl/2, 10*p.ttl) {
			s := span{v, min(v+c.spread(p.ttl/10, 3*p.ttl), p.faults)}
			p.cuts = append(p.cuts, cutPlan{span: s, failover: c.p(0.7)})
			v = s.to
		}
	}
	if c := d.child("holders").rolls(); c.p(0.3) {
		p.serve(c, rough, shortest)
	}
	if c := d.child("riders").rolls(); len(p.slots) > 0 && c.p(1.0/3) {
		p.ride(c)
	}
	return p
}

// embellish has a candidate do more than renew and resign. It is well, and does
// not relinquish, when the faults are over.
func (s *slotPlan) embellish(c *chance, p *plan) {
	add := func(o leadership.Option) { s.options = append(s.options, o) }
	if s.works && c.p(0.3) {
		grace := c.between(0, (s.ttl-s.margin)/5)
		s.margin += grace
		add(leadership.WithGrace(grace))
		s.session = append(s.session, leadership.WithGrace(grace))
	}
	if !s.lasts && c.p(0.3) {
		s.relinquish = c.spread(s.ttl/2, 10*s.ttl)
		add(leadership.WithRelinquishAfter(s.relinquish))
	}
	if c.p(0.3) {
		s.priority = 1 + c.n(3)
		add(leadership.WithPriority(s.priority))
		p.patience = max(p.patience, 3*p.retry)
	}
	if c.p(0.3) {
		every := c.between(s.ttl/10, s.ttl/2)
		s.failures = 1 + c.n(3)
		add(leadership.WithHealthInterval(every))
		add(leadership.WithHealthFailures(s.failures))
		p.patience = max(p.patience, 4*p.retry+s.ttl)
		for v := c.spread(p.ttl/2, 10*p.ttl); v < p.faults; v += c.spread(p.ttl/2, 10*p.ttl) {
			end := min(v+c.spread(every/2, 5*p.ttl), p.faults)
			s.sick = append(s.sick, sickness{span{v, end}, c.p(0.3)})
			v = end
		}
	}
}

// request has an operator ask for this and that. All pauses end with the
// faults.
func (p *plan) request(c *chance) {
	if !c.p(0.4) {
		return
	}
	for range 1 + c.n(5) {
		a := askPlan{at: c.between(p.ttl, p.faults)}
		a.request.Action = pick(c, leadership.Resign, leadership.Transfer, leadership.Pause, leadership.Pause, leadership.Resume)
		switch a.request.Action {
		case leadership.Transfer:
			a.request.To, a.request.Hold = p.slots[c.n(len(p.slots))].node, c.between(p.ttl/10, p.ttl)
		case leadership.Pause:
			a.request.Keep = c.p(0.5)
		}
		a.request.Create = a.request.Action == leadership.Transfer || a.request.Action == leadership.Pause
		p.asks = append(p.asks, a)
	}
	p.patience = max(p.patience, 4*p.retry+p.ttl)
}

// candidateOptions returns random options that keep the rules, the margin and
// the retry interval.
func candidateOptions(c *chance, p *plan, ttl time.Duration) ([]leadership.Option, time.Duration, time.Duration) {
	var opts []leadership.Option
	margin, retry := ttl/5, ttl/3
	if c.p(0.3) {
		margin = c.between(ttl/5, ttl/2)
		opts = append(opts, leadership.WithMargin(margin))
	}
	if c.p(0.3) {
		opts = append(opts, leadership.WithRenewInterval(c.between((ttl-margin)/10, (ttl-margin)*7/10)))
	}
	if c.p(0.3) {
		retry = c.between(ttl/10, ttl)
		opts = append(opts, leadership.WithRetryInterval(retry))
	}
	p.retry = max(p.retry, retry)
	return opts, margin, retry
}

func (p *plan) machine(c *chance, rough float64) machinePlan {
	m := machinePlan{rate: 1, pause: pick(c, 0, 0.002, 0.01, 0.04) * rough, longer: 3 * p.ttl}
	if p.walls {
		return m
	}
	m.rate = 0.9 + 0.2*c.float()
	m.skew = c.between(-time.Hour, time.Hour)
	for v := c.spread(p.ttl, 40*p.ttl); c.p(0.3*rough) && v < p.faults; v += c.spread(p.ttl, 20*p.ttl) {
		s := span{v, v + c.spread(p.ttl/10, 3*p.ttl)}
		s.to = min(s.to, p.faults)
		m.sleeps = append(m.sleeps, s)
		v = s.to
	}
	for c.p(0.2*rough) && len(m.jumps) < 4 {
		by := c.spread(p.ttl/10, 10*p.ttl)
		if c.p(0.3) && len(m.sleeps) == 0 {
			by = -by // after a sleep that would hide it, and nothing helps
		}
		m.jumps = append(m.jumps, jump{c.between(0, p.faults), by})
	}
	return m
}

func (p *plan) link(c *chance, rough float64) linkPlan {
	l := linkPlan{
		slow: pick(c, 0, 0.02, 0.1, 0.4) * rough, slowest: c.spread(p.ttl/10, 3*p.ttl),
		fail: pick(c, 0, 0.05, 0.3) * rough, lose: pick(c, 0, 0.05, 0.3) * rough,
		ignore: pick(c, 0, 0.1, 1), wire: pick(c, 0, 0.3, 1),
		deaf: pick(c, 0, 0.3, 1), retries: c.p(0.2),
	}
	for v := c.spread(p.ttl/2, 10*p.ttl/time.Duration(1+3*rough)); v < p.faults; v += c.spread(p.ttl/2, 20*p.ttl/time.Duration(1+3*rough)) {
		s := spell{span{v, min(v+c.spread(p.ttl/10, 4*p.ttl), p.faults)}, weather(c.n(int(weathers)))}
		l.weather = append(l.weather, s)
		v = s.to
	}
	return l
}

// slowest returns how long d takes at most by a slow clock.
func slowest(d time.Duration) time.Duration { return time.Duration(float64(d) / 0.9) }
