package sim

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	leadership "github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/invariants"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// race is a world of rounds: a few nodes that want the same jobs done.
type race struct {
	*world
	jobs  []*job
	nodes []*racingNode

	mu  sync.Mutex
	all []*racer

	rounds invariants.RoundState // only the checker touches it
}

// job is one round.
type job struct {
	name    string
	begins  time.Duration
	forever bool // its attempts have no TTL

	page *page // what is stored, and what was

	mu        sync.Mutex
	winners   []string // nodes that were told that they have won, for ever
	completed string   // the node that was told that it has completed it

	// Only the checker touches these.
	trusted map[uint64]string // who was seen to trust in an attempt, by number
	highest uint64            // of those
	forgot  time.Duration     // when the record was last tampered with, as of then
}

// racingNode is where the processes of one node run, one after the other.
type racingNode struct {
	racerPlan
	*place
	r     *race
	dice  dice
	rolls *chance
}

// racerPlan is what is known of a node from the start.
type racerPlan struct {
	node       string
	start      time.Duration
	lasts      bool          // is running when the faults end
	ttl, grace time.Duration // of its attempts
	timeout    time.Duration // of a call
	every      time.Duration // between two questions
	life       time.Duration // how long a process typically lives
	does       float64       // probability that it uses Do
	machine    machinePlan
	link       linkPlan
}

// never is before all.
const never = -time.Hour

// newRace makes the race of a seed. It is called in a bubble.
func newRace(seed uint64, broken func(rule, what string)) *race {
	r := &race{world: newEmptyWorld(seed, broken)}
	p, c := &r.plan, r.dice.child("race").rolls()
	r.race, p.longestTTL = r, p.ttl
	for i := range 1 + c.n(4) {
		j := &job{name: fmt.Sprint(i), begins: c.between(0, p.faults/2), forever: c.p(0.25), trusted: map[uint64]string{}, forgot: never}
		j.page = &page{tampered: never}
		r.jobs = append(r.jobs, j)
	}
	rough := pick(c, 0.1, 0.3, 0.6, 1)
	for i := range pick(c, 2, 3, 3, 4) {
		n := &racingNode{r: r, racerPlan: racerPlan{
			node: string(rune('a' + i)), start: c.between(0, p.ttl), lasts: i == 0 || c.p(0.7),
			ttl: pick(c, p.ttl, p.ttl, max(p.ttl/3, leadership.MinTTL)), timeout: c.between(p.ttl/10, p.ttl/2),
			every: c.between(p.ttl/20, p.ttl/4), life: c.spread(p.ttl, pick(c, time.Duration(10), 100)*p.ttl),
			does: pick(c, 0, 0.5, 1), machine: p.machine(c, rough), link: p.link(c, rough),
		}}
		if c.p(0.3) {
			n.grace = c.between(0, n.ttl/5)
		}
		n.place, n.dice = newPlace(n.lasts), r.dice.child("race "+n.node)
		n.rolls = n.dice.child("rolls").rolls()
		r.nodes = append(r.nodes, n)
	}
	return r
}

// play lets the race happen: faults, then calm, then an orderly end.
func (r *race) play() {
	go r.checker.run()
	defer close(r.done)
	b := &book{Store: memory.New(), r: r}
	for _, n := range r.nodes {
		go n.live(b)
	}
	r.background.Go(func() { b.operate(r.dice.child("operator").rolls()) })
	r.background.Go(b.replicate)
	r.sleepUntil(r.faultsEnd + r.slack())
	r.note("world", "the faults are over")
	r.settle()
	for _, n := range r.nodes {
		time.Sleep(17 * time.Nanosecond) // not all at once
		close(n.quit)
	}
	for _, n := range r.nodes {
		r.expect("the end of "+n.node, n.ended, slowest(20*r.plan.longestTTL))
	}
	for _, p := range r.racers() {
		p.link.faults.Close()
	}
	b.Close()
	r.background.Wait()
	time.Sleep(2 * r.plan.longestTTL)
}

// settle waits until every job is done that somebody can do.
func (r *race) settle() {
	within := slowest(10*r.plan.longestTTL) + r.moment()
	for end := r.now() + within; r.now() < end; time.Sleep(r.plan.ttl / 10) {
		if !slices.ContainsFunc(r.jobs, func(j *job) bool { return !j.forever && j.page.current().completer() == "" }) {
			return
		}
	}
	for _, j := range r.jobs {
		if rec := j.page.current(); !j.forever && rec.completer() == "" {
			r.violate("liveness", "job %s is not done %v after the faults are over: %v", j.name, within, rec)
		}
	}
}

func (r *race) racers() []*racer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// writes returns how many were made.
func (r *race) writes() (n int64) {
	for _, j := range r.jobs {
		n += int64(len(j.page.history))
	}
	return n
}

func (n *racingNode) live(b *book) {
	defer close(n.ended)
	w, c := n.r, n.rolls
	if !n.sleep(n.start) {
		return
	}
	for i := 1; ; i++ {
		if !n.run(n.enroll(i, b)) {
			return
		}
		if rest := w.rest(c, n.ttl, n.stays); rest == 0 || !n.sleep(rest) {
			return
		}
	}
}

// enroll starts a process.
func (n *racingNode) enroll(i int, b *book) *racer {
	w, name := n.r, fmt.Sprintf("%s%d", n.node, i)
	d := n.dice.child(name)
	p := &racer{node: n, views: map[*job][]*leadership.Round{}, seen: map[*job]observation{}, contender: &contender{
		w: w.world, name: name, node: n.node, ttl: n.ttl, machine: newMachine(w.world, name, n.machine, d.child("machine")),
		trusts: map[uint64]trust{},
	}}
	p.contender.link = newLink(w.world, name, p.machine, bookDesk{b, p}, n.link, d.child("link"), p.made.Load)
	p.contender.link.sends = b.sends(p)
	p.rounds = leadership.NewRounds(racerLink{p.link, b, p}, clock.RoundOption(p.machine).(leadership.RoundOption),
		leadership.WithCallTimeout(n.timeout), leadership.WithAttemptGrace(n.grace))
	w.note(name, "starts, TTL %v", n.ttl)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, p)
	return p
}

// run has a process race until it crashes or is stopped. It reports whether another is
// to come after it.
func (n *racingNode) run(p *racer) (again bool) {
	w, c := n.r, n.rolls
	death := w.death(c, n.life, n.ttl, n.stays)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan struct{})
	go func() { defer close(ended); p.race(ctx) }()
	timer := time.NewTimer(death - w.now())
	defer timer.Stop()
	select {
	case <-timer.C:
		again = true
		w.note(p.name, "crashes")
		p.link.crash()
	case <-n.quit:
		w.note(p.name, "is stopped for good")
	}
	p.dead.Store(again)
	cancel()
	w.recheck()
	w.expect("the end of "+p.name, ended, slowest(20*w.plan.longestTTL)+w.faultsEnd)
	return again
}

// wins takes note that a process was told that it has won.
func (j *job) wins(p *racer) {
	if !j.forever || p.dead.Load() || j.page.lastTampered() != never {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !slices.Contains(j.winners, p.contender.node) {
		j.winners = append(j.winners, p.contender.node)
	}
	if len(j.winners) > 1 {
		p.w.violate("rounds", "job %s was won for ever by %s", j.name, strings.Join(j.winners, " and "))
	}
}

// completes takes note that a process was told that it has completed a job.
func (j *job) completes(p *racer) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.completed != "" && j.completed != p.contender.node && j.page.lastTampered() == never {
		p.w.violate("rounds", "job %s was completed by %s, and by %s", j.name, j.completed, p.contender.node)
	}
	j.completed = p.contender.node
}

// check holds all that the processes say against the rules. Only the checker calls it.
func (r *race) check(v time.Duration) {
	excused := slowest(r.plan.longestTTL) // for so long after the record was tampered with
	for _, j := range r.jobs {
		if at := j.page.lastTampered(); at > j.forgot {
			j.forgot, j.highest, j.trusted = at, 0, map[uint64]string{}
		}
		var trusts []invariants.Trust
		for _, p := range r.racers() {
			if p.dead.Load() || r.plan.shy && (p.machine.frozen(v) || p.machine.torn(v-jumpNoticed, v)) {
				continue
			}
			trusts = append(trusts, p.check(j, v)...)
		}
		r.hold(j, v, trusts)
		var trusting []string
		for _, t := range trusts {
			if !slices.Contains(trusting, t.Node) {
				trusting = append(trusting, t.Node)
			}
		}
		if len(trusting) > 1 && v > j.forgot+excused {
			r.violate("rounds", "%s trust at once in an attempt at job %s", strings.Join(trusting, " and "), j.name)
		}
	}
}

// check returns the trust of a process in attempts at a job that end.
func (p *racer) check(j *job, v time.Duration) (trusts []invariants.Trust) {
	p.mu.Lock()
	views, doing := p.views[j], p.doing
	p.mu.Unlock()
	p.machine.quiet.Store(true)
	defer p.machine.quiet.Store(false)
	for _, view := range views {
		working := doing != nil && doing.view == view && !j.forever
		open := working && v%2 == 0 && p.open(doing.ctx) // each question may end the trust
		number, left := view.Attempt()
		open = open || working && v%2 == 1 && p.open(doing.ctx)
		if open && left == 0 {
			p.w.violate("S3", "%s: the context of its work goes on, and attempt %d at job %s is over", p.name, number, j.name)
		}
		if left == 0 || left == math.MaxInt64 {
			continue
		}
		trusts = append(trusts, invariants.Trust{Node: p.contender.node, Clock: clocks{p.machine, p.machine}, Number: number, Left: left})
		if !p.trusted(j.key(number), v) {
			p.w.violate("S1", "%s trusts in attempt %d at job %s for longer than its last write allows", p.name, number, j.name)
		}
		who, known := j.trusted[number]
		switch {
		case v <= j.forgot+slowest(p.w.plan.longestTTL): // who never saw what was there begins anew
			continue
		case known && who != p.contender.node:
			p.w.violate("rounds", "%s and %s have both made attempt %d at job %s", who, p.contender.node, number, j.name)
		case !known && number < j.highest:
			p.w.violate("rounds", "%s makes attempt %d at job %s after attempt %d", p.name, number, j.name, j.highest)
		}
		j.trusted[number], j.highest = p.contender.node, max(j.highest, number)
	}
	return trusts
}

// open reports whether a context goes on. The machine is quiet.
func (p *racer) open(ctx context.Context) bool { return ctx.Err() == nil }

// key tells an attempt from those at other jobs.
func (j *job) key(number uint64) uint64 { return uint64(dice(number).child(j.name)) }
