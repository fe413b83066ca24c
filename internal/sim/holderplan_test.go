package sim

import (
	"fmt"
	"time"

	leadership "github.com/seed-a1d591d3/leadership"
)

// holderPlan is one who leads by asking servers, as package httpapi documents it.
type holderPlan struct {
	node    string
	start   time.Duration
	lasts   bool // is running when the faults end
	ttl     time.Duration
	every   time.Duration // from one answer to the next request
	timeout time.Duration // of a request
	life    time.Duration // how long a process typically lives
	resigns float64       // probability, each time
	twice   float64       // probability that it asks two servers at once
	roams   float64       // probability that it asks another server than before
	dozes   float64       // probability that it asks late
	crashes float64       // probability that its end is a crash
	leaves  float64       // probability that a server stops for a client that has gone
	machine machinePlan
	wire    linkPlan // between it and the servers
}

// serve has holders lead, next to a few candidates.
func (p *plan) serve(c *chance, rough float64, shortest time.Duration) {
	p.slots = p.slots[:c.n(min(len(p.slots), 2)+1)]
	for i := range 1 + c.n(3) {
		s := serverPlan{
			name: fmt.Sprintf("server%d", i), life: c.spread(p.ttl, 40*p.ttl),
			machine: p.machine(c, rough), link: p.link(c, rough),
		}
		if shortest == p.ttl && c.p(0.3) {
			s.margin = c.between(p.ttl/5, p.ttl/2)
			s.options = append(s.options, leadership.WithMargin(s.margin))
		}
		if c.p(0.3) {
			s.grace = c.between(0, shortest/10)
			s.options = append(s.options, leadership.WithGrace(s.grace))
		}
		p.servers = append(p.servers, s)
	}
	for i := range pick(c, 1, 2, 2, 3) {
		ttl := p.ttl
		if shortest < p.ttl {
			ttl = c.spread(shortest, p.ttl).Round(time.Millisecond)
		}
		h := holderPlan{
			node:  string(rune('p' + i)),
			start: c.between(0, pick(c, p.ttl/10, 5*p.ttl)),
			lasts: i == 0 || c.p(0.7), ttl: ttl, every: ttl / 6,
			timeout: c.between(ttl/10, ttl/2),
			life:    c.spread(p.ttl, pick(c, time.Duration(10), 100)*p.ttl),
			resigns: pick(c, 0, 0.02, 0.1), twice: pick(c, 0, 0.1, 0.5), roams: pick(c, 0, 0.1, 1),
			dozes: pick(c, 0, 0.05, 0.3), crashes: pick(c, 0, 0.5), leaves: pick(c, 0, 0.5),
			machine: p.machine(c, rough), wire: p.link(c, rough),
		}
		p.holders = append(p.holders, h)
		// A server sees a record when it is first asked, and a holder that waits asks
		// all in turn.
		turn := time.Duration(len(p.servers)+1) * (h.every + h.timeout/5)
		p.patience = max(p.patience, 3*turn+h.timeout+2*ttl/3)
	}
	p.patience += 4 * p.retry
	for i := range p.asks {
		if r := &p.asks[i].request; r.Action == leadership.Transfer && c.p(0.5) {
			r.To = p.holders[c.n(len(p.holders))].node
		}
	}
}
