package sim

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	leadership "github.com/seed-a1d591d3/leadership"
)

// racer is one process of a node.
type racer struct {
	*contender
	node   *racingNode
	rounds *leadership.Rounds
	made   atomic.Int32 // how many views of rounds
	dead   atomic.Bool

	mu    sync.Mutex
	views map[*job][]*leadership.Round // the one in use last
	seen  map[*job]observation         // what was read last
	doing *doing
}

// doing is work that Do was given, under way.
type doing struct {
	view *leadership.Round
	ctx  context.Context
}

// race has a process ask for the jobs, one after another and again.
func (p *racer) race(ctx context.Context) {
	c, done := p.node.dice.child(p.name).child("turns").rolls(), map[*job]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(c.between(p.node.every*9/10, p.node.every)):
		}
		p.machine.stayAwake()
		var open []*job
		for _, j := range p.node.r.jobs {
			if !done[j] && j.begins <= p.w.now() {
				open = append(open, j)
			}
		}
		if len(open) > 0 {
			j := open[c.n(len(open))]
			done[j] = p.turn(ctx, c, j)
		}
	}
}

// turn asks for one job, and does it where it is won. It reports whether the job is
// done.
func (p *racer) turn(ctx context.Context, c *chance, j *job) (done bool) {
	view, calm := p.view(c, j), p.w.over()
	if who, err := view.Completed(context.WithValue(ctx, looks{}, true)); err == nil && who != "" {
		return calm // before, a failover may take it back
	}
	if c.p(p.node.does) {
		won, err := view.Do(ctx, func(ctx context.Context) error { return p.do(ctx, view, j) })
		p.w.note(p.name, "job %s, Do: %v, %v", j.name, won, err)
		if won && err == nil {
			j.completes(p)
		}
		return false
	}
	won, err := view.Elect(ctx)
	if err != nil {
		p.w.note(p.name, "job %s, Elect: %v", j.name, err)
	}
	if err != nil || !won {
		return false
	}
	p.w.note(p.name, "job %s, Elect: won", j.name)
	j.wins(p)
	p.w.recheck()
	time.Sleep(p.takes(c))
	how := c.float()
	if p.w.over() {
		how = 0
	}
	switch {
	case how < 0.4:
		for range 1 + c.n(2) { // again, where it is not known
			err := view.Complete(ctx)
			p.w.note(p.name, "job %s, Complete: %v", j.name, err)
			if err == nil {
				j.completes(p)
				break
			}
		}
	case how < 0.6:
		p.w.note(p.name, "job %s, Fail: %v", j.name, view.Fail(ctx, []byte("failed")))
	}
	return false
}

// view returns the process's view of a round, now and then another.
func (p *racer) view(c *chance, j *job) *leadership.Round {
	p.mu.Lock()
	defer p.mu.Unlock()
	views := p.views[j]
	if len(views) > 0 && c.p(0.9) {
		return views[len(views)-1]
	}
	ttl := p.node.ttl
	if j.forever {
		ttl = 0
	}
	v := p.rounds.Round("race", j.name, p.contender.node, leadership.WithAttemptTTL(ttl))
	p.made.Add(1)
	p.views[j] = append(views, v)
	return v
}

// saw returns what the process has read last of a job's round.
func (p *racer) saw(j *job) observation {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[j]
}

func (p *racer) knows(j *job) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.seen[j]
	return ok
}

func (p *racer) saws(j *job, s observation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen[j] = s
}

// takes is how long the work takes.
func (p *racer) takes(c *chance) time.Duration {
	if p.w.over() {
		return c.spread(50, p.ttl/10)
	}
	return p.w.untilHealed(c, p.w.now(), c.spread(p.ttl/20, 4*p.ttl))
}

// do is the work that Do is given.
func (p *racer) do(ctx context.Context, view *leadership.Round, j *job) error {
	p.w.note(p.name, "job %s: work begins", j.name)
	j.wins(p)
	p.setDoing(&doing{view, ctx})
	defer p.setDoing(nil)
	c := p.machine.dice.at(p.w.now(), 'd')
	timer := time.NewTimer(p.takes(c))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		p.w.note(p.name, "job %s: work is to end: %v", j.name, context.Cause(ctx))
		p.w.recheck()
		time.Sleep(c.spread(50, p.ttl/50))
		return pick(c, nil, ctx.Err())
	case <-timer.C:
	}
	if p.w.over() {
		return nil
	}
	return pick(c, nil, errWork)
}

func (p *racer) setDoing(d *doing) {
	p.mu.Lock()
	p.doing = d
	p.mu.Unlock()
	p.w.recheck()
}
