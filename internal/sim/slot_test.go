package sim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	leadership "github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/clock"
)

var (
	errWork = errors.New("work failed")
	errSick = errors.New("sick")
)

// slot is one node: it starts candidates, has them resign, stop and crash, and
// starts others in their place.
type slot struct {
	slotPlan
	w     *world
	dice  dice
	rolls *chance
	*place
}

func (s *slot) live() {
	defer close(s.ended)
	c := s.rolls
	if !s.sleep(s.start) {
		return
	}
	var who *contender
	defer func() { who.leave() }()
	for n := 1; ; n++ {
		if who == nil || who.link.crashed.Load() || c.p(0.5) {
			who.leave()
			who = s.enroll(n)
		}
		again := s.campaign(who)
		if !again {
			return
		}
		if rest := s.w.rest(c, s.ttl, s.stays); rest == 0 || !s.sleep(rest) {
			return
		}
	}
}

// enroll makes a new candidate, on a new process.
func (s *slot) enroll(n int) *contender {
	w, name := s.w, fmt.Sprintf("%s%d", s.node, n)
	d := s.dice.child(name)
	who := &contender{
		w: w, name: name, node: s.node, ttl: s.ttl, margin: s.margin, retry: s.retry, extras: s.extras,
		machine: newMachine(w, name, s.slotPlan.machine, d.child("machine")),
		trusts:  map[uint64]trust{}, over: map[uint64]bool{},
	}
	who.link = newLink(w, name, who.machine, desk{w.ledger, who}, s.slotPlan.link, d.child("link"), who.campaigns.Load)
	who.link.sends, who.link.seen, who.link.shown = w.ledger.sends(who), who.sees, who.isShown
	opts := append([]leadership.Option{clock.Option(who.machine).(leadership.Option)}, s.options...)
	if s.rides {
		opts = append(opts, s.saddle(who))
	}
	if s.failures > 0 {
		opts = append(opts, leadership.WithHealthCheck(who.check))
	}
	who.candidate = leadership.NewCandidate(who.link, key, s.node, s.ttl, opts...)
	who.claimant = who.candidate
	w.enlist(who)
	s.seat(who)
	return who
}

// campaign runs a candidate until it is stopped, and reports whether the slot is
// to go on.
func (s *slot) campaign(who *contender) (again bool) {
	w, c := s.w, s.rolls
	who.stopped.Store(false)
	s.up.Store(true)
	w.note(who.name, "starts, TTL %v", s.ttl)
	run := s.runForElection
	if s.works {
		run = s.runWork
	}
	who.begins()
	ctx := newLeash()
	defer func() { ctx.cancel() }()
	ended := run(ctx, who)

	death := w.death(c, s.life, s.ttl, s.stays)
	for {
		now := w.now()
		next := min(death, now+c.between(1, 2*s.ttl))
		if w.calm(next) {
			next = 1 << 62
		}
		timer := time.NewTimer(next - now)
		select {
		case <-timer.C:
		case <-s.quit:
			timer.Stop()
			w.note(who.name, "is stopped for good")
			who.stop()
			s.await(who, ended)
			return false
		case <-ended:
			timer.Stop()
			w.violate("liveness", "%s: the campaign ended by itself", who.name)
			return false
		}
		who.machine.stayAwake()
		switch {
		case w.now() >= death:
			s.kill(who, ctx.cancel)
			s.await(who, ended)
			return true
		case c.p(s.resigns * 2):
			w.note(who.name, "resigns")
			who.candidate.Resign()
		case !s.works && c.p(0.15):
			w.note(who.name, "hands its stream over")
			old := ctx
			ctx = newLeash()
			ended = run(ctx, who)
			if c.p(0.5) {
				old.cancel() // without effect, as its stream has ended
			}
		case c.p(0.1):
			w.note(who.name, "has something else to tell")
			if err := who.candidate.SetPayload(fmt.Append(nil, c.n(1000))); err != nil {
				w.violate("liveness", "%s: %v", who.name, err)
			}
		}
	}
}

// leash is a context that can be cancelled.
type leash struct {
	context.Context
	cancel context.CancelFunc
}

func newLeash() (l leash) {
	l.Context, l.cancel = context.WithCancel(context.Background())
	return l
}

// kill ends a campaign, one way or another.
func (s *slot) kill(who *contender, cancel context.CancelFunc) {
	w, c := s.w, s.rolls
	s.up.Store(false)
	switch {
	case c.p(s.crashes):
		w.note(who.name, "crashes")
		who.link.crash()
		who.leave()
		who.stop()
	case c.p(0.5):
		w.note(who.name, "is stopped")
		who.stop()
		if c.p(0.2) {
			who.stop()
		}
	default:
		w.note(who.name, "its context is cancelled")
		who.stopped.Store(true)
		cancel()
	}
}

// await waits for a campaign to end that has been stopped.
func (s *slot) await(who *contender, ended <-chan struct{}) {
	w := s.w
	from := w.now()
	limit := slowest(3*s.ttl) + 5*time.Millisecond
	if !w.calm(from) {
		// Work may linger and processes pause until the faults are over.
		limit = max(from+limit, w.faultsEnd+w.slack()+limit) - from
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ended:
		w.note(who.name, "has ended")
	case <-timer.C:
		w.violate("S6", "%s has not ended %v after it was stopped", who.name, limit)
	}
}

// runWork runs work until the candidate is stopped. The channel is closed then.
func (s *slot) runWork(ctx context.Context, who *contender) <-chan struct{} {
	ended := make(chan struct{})
	s.w.background.Go(func() {
		defer close(ended)
		for {
			who.campaigns.Add(1)
			who.begins()
			err := who.candidate.Run(ctx, who.do)
			s.w.note(who.name, "Run returns: %v", err)
			if w := who.working(); w != nil {
				s.w.violate("S8", "%s: Run returned before the work of term %d", who.name, w.term.Token)
			}
			if !errors.Is(err, errWork) {
				return
			}
			time.Sleep(who.machine.dice.at(s.w.now(), 'r').spread(50, s.ttl/10))
			if who.stopped.Load() {
				return
			}
		}
	})
	return ended
}

// runForElection runs a candidate, or takes its stream over. The channel is
// closed when the stream has ended.
func (s *slot) runForElection(ctx context.Context, who *contender) <-chan struct{} {
	who.campaigns.Add(1)
	leads, errs := who.candidate.RunForElection(ctx)
	var listeners sync.WaitGroup
	listeners.Go(func() { s.listen(who, leads) })
	listeners.Go(func() { s.readErrors(who, errs) })
	ended := make(chan struct{})
	s.w.background.Go(func() {
		listeners.Wait()
		close(ended)
	})
	return ended
}

// listen reads a candidate's stream, sometimes slowly, and holds it against the
// rules.
func (s *slot) listen(who *contender, leads <-chan bool) {
	w := s.w
	var told, last, late bool
	for {
		if d := s.dawdle(who.name, s.slow); d > 0 {
			late = true
			time.Sleep(d)
		}
		v, open := <-leads
		switch {
		case !open:
			w.note(who.name, "stream closed")
			if !told && !late {
				w.violate("S9", "%s: the stream of a prompt reader ended before it began", who.name)
			}
			if last && !late {
				w.violate("S9", "%s: the stream of a prompt reader ended with true", who.name)
			}
			return
		case !told && v:
			w.violate("S9", "%s: the stream began with true", who.name)
		case told && v == last:
			w.violate("S9", "%s: the stream told %v twice", who.name, v)
		}
		told, last = true, v
		w.note(who.name, "stream: %v", v)
		if v {
			w.truth(who)
		}
	}
}

// readErrors reads a candidate's errors, or leaves them for a while.
func (s *slot) readErrors(who *contender, errs <-chan error) {
	for {
		time.Sleep(s.dawdle(who.name+" errors", s.slow))
		err, open := <-errs
		if !open {
			return
		}
		s.w.note(who.name, "reports: %v", err)
	}
}

// dawdle is how long a reader does not read.
func (s *slot) dawdle(name string, slow float64) time.Duration {
	v := s.w.now()
	c := s.dice.child(name).at(v, 'l')
	if s.w.calm(v) || !c.p(slow) {
		return 0
	}
	return s.w.untilHealed(c, v, c.spread(s.ttl/100, pick(c, time.Duration(1), 5, 100)*s.ttl))
}
