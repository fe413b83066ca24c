package sim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	leadership "github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/clock"
)

// holder is one node: it starts processes that lead by asking, has them resign,
// stop and crash, and starts others in their place.
type holder struct {
	holderPlan
	*place
	w     *world
	dice  dice
	rolls *chance
}

func (h *holder) live() {
	defer close(h.ended)
	c, w := h.rolls, h.w
	if !h.sleep(h.start) {
		return
	}
	for n := 1; ; n++ {
		p := h.enroll(n)
		h.up.Store(true)
		if !h.play(p) {
			p.finish()
			return
		}
		if rest := w.rest(c, h.ttl, h.stays); rest == 0 || !h.sleep(rest) {
			return
		}
	}
}

// enroll starts a process.
func (h *holder) enroll(n int) *process {
	w, name := h.w, fmt.Sprintf("%s%d", h.node, n)
	d := h.dice.child(name)
	p := &process{holder: h, dice: d, over: map[uint64]bool{}, resigned: map[string]bool{}}
	p.who = &contender{
		w: w, name: name, node: h.node, ttl: h.ttl, retry: h.ttl / 3, claimant: p,
		machine: newMachine(w, name, h.machine, d.child("machine")),
		trusts:  map[uint64]trust{}, over: map[uint64]bool{},
	}
	w.note(name, "starts, TTL %v", h.ttl)
	w.enlist(p.who)
	h.seat(p.who)
	return p
}

// play has a process ask again and again, and reports whether another is to come
// after it.
func (h *holder) play(p *process) (again bool) {
	w, c := h.w, h.rolls
	death := w.death(c, h.life, h.ttl, h.stays)
	for {
		v := w.now()
		rest := c.between(h.every*9/10, h.every)
		if c.p(h.dozes) && !w.calm(v) {
			rest = w.untilHealed(c, v, c.spread(h.every, 3*h.ttl))
		}
		if !h.sleep(rest) {
			return false
		}
		p.who.machine.stayAwake()
		if w.now() >= death {
			h.up.Store(false)
			p.die(c.p(h.crashes))
			return true
		}
		if !p.turn(c) {
			return false
		}
	}
}

// process is one process of a holder. It implements claimant.
type process struct {
	*holder
	who  *contender
	dice dice
	made int // how many instances
	last int // the server that it has asked
	asks atomic.Uint64

	pending sync.WaitGroup // requests

	mu       sync.Mutex
	dead     bool
	instance string // empty: one is to be made
	leaving  bool   // it is to resign
	beats    beats  // of its instance
	leads    bool
	term     leadership.Term
	from     clock.Instant // what its trust counts from
	trust    time.Duration
	over     map[uint64]bool // tokens of terms that have ended here
	resigned map[string]bool // instances
}

// IsLeader implements claimant.
func (p *process) IsLeader() bool {
	_, ok := p.Term()
	return ok
}

// Term implements claimant. Sleep counts (S4).
func (p *process) Term() (leadership.Term, bool) {
	now := p.who.machine.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lapse(now)
	return p.term, p.leads
}

// lapse ends a term that can be trusted no more. The lock is held.
func (p *process) lapse(now clock.Instant) {
	if p.leads && now.Since(p.from) >= p.trust {
		p.ends()
		p.leaving = true
	}
}

// ends ends the term. The lock is held.
func (p *process) ends() {
	if p.leads {
		p.over[p.term.Token] = true
	}
	p.leads, p.term = false, leadership.Term{}
}

// gaveUp reports whether an instance may be resigned: its work has ended.
func (p *process) gaveUp(instance string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.resigned[instance] && (!p.leads || p.instance != instance)
}

// turn is one turn of asking. It reports whether to go on.
func (p *process) turn(c *chance) bool {
	w := p.w
	p.Term()
	p.mu.Lock()
	leaving := p.leaving
	p.mu.Unlock()
	if leaving || c.p(p.resigns) && !w.over() {
		p.resign()
		return true
	}
	by := p.by(c)
	w.ledger.enter(by.Instance, p.who)
	n := 1
	if c.p(p.twice) && !w.over() {
		n, by.Beat = 2, 0
	}
	p.mu.Lock()
	number, doubted := p.beats.asking(by, n)
	p.mu.Unlock()
	answers := make(chan struct{}, n)
	for range n {
		switch {
		case w.over():
			p.last++
		case c.p(p.roams):
			p.last = c.n(len(w.servers))
		}
		s := w.servers[p.last%len(w.servers)]
		start := p.who.machine.Now() // before it asks (S1)
		p.request(s, answers, func(ctx context.Context, s *served) func() {
			got, err := s.claim(ctx, by)
			return func() {
				if p.knows(by, number, doubted, got, err) {
					p.answered(by, start, got, err)
				}
			}
		})
	}
	timer := time.NewTimer(p.timeout)
	defer timer.Stop()
	for range n {
		select {
		case <-answers:
		case <-timer.C:
			return true
		case <-p.quit:
			return false
		}
	}
	return true
}

// request has a server do something, and the process hear of it: both ways may take
// long or not be found, and the server may have been replaced.
func (p *process) request(s *server, answers chan<- struct{}, do func(context.Context, *served) func()) {
	w := p.w
	dice := p.dice.child(fmt.Sprint("request", p.asks.Add(1)))
	p.pending.Add(1)
	w.background.Go(func() {
		defer p.pending.Done()
		c := dice.at(w.now(), 'q')
		if !p.travel(c) {
			return
		}
		server := s.process()
		if server == nil {
			return
		}
		server.who.machine.stayAwake()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		if c.p(p.leaves) {
			ctx, cancel = context.WithTimeout(ctx, p.timeout)
			defer cancel()
		}
		done := make(chan func(), 1)
		w.background.Go(func() { done <- do(ctx, server) })
		var hear func()
		select {
		case hear = <-done:
		case <-server.gone:
			return
		}
		server.who.machine.stayAwake()
		if server.who.link.crashed.Load() || !p.travel(dice.at(w.now(), 'a')) {
			return
		}
		p.who.machine.stayAwake()
		hear()
		answers <- struct{}{}
	})
}

// travel is the way of a request or an answer. It reports whether it arrives.
func (p *process) travel(c *chance) bool {
	w, v := p.w, p.w.now()
	if w.calm(v) {
		time.Sleep(c.spread(50, w.plan.latency))
		return true
	}
	d := c.spread(50, w.plan.latency)
	if c.p(p.wire.slow) {
		d = c.spread(w.plan.latency, p.wire.slowest)
	}
	for _, s := range p.wire.weather {
		if s.holds(v) && s.kind == partitioned {
			return false
		}
	}
	time.Sleep(w.untilHealed(c, v, d))
	return !c.p(p.wire.lose)
}

// answered is told of the answer to a claim, even a late one.
func (p *process) answered(by leadership.Claim, start clock.Instant, got leadership.Claimed, err error) {
	now := p.who.machine.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return
	}
	p.lapse(now)
	token := got.Term.Token
	left := got.Trust - now.Since(start)
	switch {
	case err == nil && got.Won && (by.Instance != p.instance || p.leaving || p.over[token] || p.leads && token < p.term.Token):
		// It has given that up.
		if p.resigned[by.Instance] && by.Instance != p.instance {
			p.w.note(p.who.name, "resigns again term %d", token)
			p.background(by.Instance, token, got.Beat)
		}
		if p.over[token] && by.Instance == p.instance {
			p.leaving = true // else it would renew for ever what it does not lead by
		}
	case err == nil && got.Won && left <= 0 && !p.leads:
		p.w.note(p.who.name, "hears too late of term %d", token)
		p.over[token], p.leaving = true, true
	case err == nil && got.Won && left > 0:
		if p.leads && token == p.term.Token && left <= p.trust-now.Since(p.from) {
			return // it trusts for longer by an earlier answer
		}
		if !p.leads || token != p.term.Token {
			p.ends()
			p.w.note(p.who.name, "hears of its term %d, to be trusted for %v more", token, left)
		}
		p.leads, p.term, p.from, p.trust = true, got.Term, start, got.Trust
		p.w.recheck()
	case errors.Is(err, leadership.ErrLost) || errors.Is(err, leadership.ErrEvicted) || errors.Is(err, leadership.ErrTransferred):
		p.w.note(p.who.name, "is answered: %v", err)
		if by.Instance == p.instance && (by.Token == 0 || p.leads && p.term.Token == by.Token) {
			p.leaving = true // its work ends until the next turn
		}
	case err != nil:
		p.w.note(p.who.name, "is answered: %v", err)
	}
}

// resign ends the work, and has the seat given up. The next claim is that of another
// instance.
func (p *process) resign() {
	p.mu.Lock()
	defer p.mu.Unlock()
	token := p.term.Token
	p.ends()
	p.leaving = false
	if p.instance == "" {
		return
	}
	p.w.note(p.who.name, "resigns")
	p.w.recheck()
	p.resigned[p.instance] = true
	p.background(p.instance, token, p.beats.won)
	p.instance = ""
}

// background asks servers to give up the seat of an instance, a few times, or its term of
// that token alone, if it is not 0, unless it was renewed since that beat, if that is not
// 0. The lock is held.
func (p *process) background(instance string, token, beat uint64) {
	p.pending.Add(1)
	p.w.background.Go(func() {
		defer p.pending.Done()
		c := p.dice.child("resign "+instance).at(p.w.now(), 'r')
		for range 4 {
			done := make(chan struct{}, 1)
			var failed error
			s := p.w.servers[c.n(len(p.w.servers))]
			p.request(s, done, func(ctx context.Context, s *served) func() {
				err := s.claims.Resign(ctx, instance, token, beat)
				return func() { failed = err }
			})
			timer := time.NewTimer(p.timeout)
			select {
			case <-done:
				timer.Stop()
				if failed == nil || errors.Is(failed, leadership.ErrLost) {
					return
				}
			case <-timer.C:
			}
			time.Sleep(c.between(p.every/2, p.every))
		}
	})
}

// die ends the process, in the midst of things or in order.
func (p *process) die(crashes bool) {
	if !crashes {
		p.resign()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.w.note(p.who.name, "ends, by a crash: %v", crashes)
	p.ends()
	p.dead = true
	p.w.recheck()
}

// finish ends the process in order: it resigns when all that it has asked is
// answered, and waits for that.
func (p *process) finish() {
	p.w.note(p.who.name, "is stopped for good")
	p.pending.Wait()
	p.die(false)
	p.pending.Wait()
}
