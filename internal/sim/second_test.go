package sim

import (
	"context"
	"sync"
	"time"

	leadership "github.com/seed-a1d591d3/leadership"
)

// second is the candidate of a process in another election.
type second struct {
	who       *contender
	candidate *leadership.Candidate
	quit      chan struct{} // closed when the process is to end
	once      sync.Once

	mu sync.Mutex
	on map[uint64]string // the names of the sessions that its terms ride on, by token
	up bool              // it is to go on running
}

func (s *second) live(c *chance) {
	w, ttl := s.who.w, s.who.ttl
	for {
		s.who.campaigns.Add(1)
		s.runs(true)
		leads, errs := s.candidate.RunForElection(context.Background())
		var listeners sync.WaitGroup
		listeners.Go(func() {
			for range leads {
			}
		})
		listeners.Go(func() {
			for range errs {
			}
		})
		stay := c.spread(ttl/2, 20*ttl)
		if w.calm(w.now() + stay) {
			stay = forever
		}
		again := s.rest(stay)
		s.runs(false)
		w.note(s.who.name, "its second candidate is stopped")
		s.candidate.Stop()
		listeners.Wait()
		if !again || !s.rest(w.untilHealed(c, w.now(), c.spread(time.Microsecond, 3*ttl))) {
			return
		}
	}
}

// rest waits for d. It reports whether the process goes on.
func (s *second) rest(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.quit:
		return false
	}
}

func (s *second) runs(up bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up = up
}

// wroteSecond holds a write in the second election.
func (l *ledger) wroteSecond(by *contender, rec record, old entry, start departure) {
	if rec.Token < old.rec.Token {
		l.w.violate("tokens", "%s wrote token %d over token %d", by.name, rec.Token, old.rec.Token)
	}
	if !rec.held() || rec.annotates(old.rec) {
		return
	}
	by.second.mu.Lock()
	_, again := by.second.on[rec.Token] // or the record of a term is put back
	by.second.on[rec.Token] = rec.Session
	by.second.mu.Unlock()
	if old.rec.held() && !again {
		l.riding(by, rec, old, start)
	}
}

// leadsSecond asks the second candidate of a process. Only the checker may.
func (c *contender) leadsSecond() (leadership.Term, bool) {
	c.machine.quiet.Store(true)
	defer c.machine.quiet.Store(false)
	return c.second.candidate.Term()
}

// seconds holds the second election against the rules.
func (k *checker) seconds(v time.Duration, tampered bool) {
	var leaders []*contender
	for _, c := range k.w.contenders() {
		if c.session == nil || k.unasked(c, v) {
			continue
		}
		term, leads := c.leadsSecond()
		if !leads {
			continue
		}
		leaders = append(leaders, c)
		c.second.mu.Lock()
		session := c.second.on[term.Token]
		c.second.mu.Unlock()
		c.mu.Lock()
		trusted := c.beats[session].holds(c.machine.read(v))
		c.mu.Unlock()
		if !trusted {
			k.w.violate("S1", "%s leads the second election for longer than its session allows", c.name)
		}
	}
	if len(leaders) > 1 && !tampered {
		k.w.violate("two leaders", "%s lead the second election at once", names(leaders))
	}
}

// settleSeconds checks that somebody leads the second election when all is calm, if anybody
// stands in it.
func (w *world) settleSeconds() {
	var standing, leading []*contender
	w.ask(func() {
		for _, c := range w.contenders() {
			if c.session == nil || c.link.crashed.Load() {
				continue
			}
			c.second.mu.Lock()
			up := c.second.up
			c.second.mu.Unlock()
			if _, leads := c.leadsSecond(); leads {
				leading = append(leading, c)
			}
			if up {
				standing = append(standing, c)
			}
		}
	})
	if len(standing) > 0 && len(leading) != 1 {
		w.violate("liveness", "of %s one is to lead the second election, and those lead: %s", names(standing), names(leading))
	}
}
