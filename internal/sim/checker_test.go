package sim

import (
	"strings"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/invariants"
)

// jumpNoticed is how long after a jump of its clock, or after it woke up, a process
// may take to notice.
const jumpNoticed = 250 * time.Millisecond

// checker asks all candidates at once who leads, at every event, around every
// deadline and at random between, when everyone else is blocked: so nothing
// happens while it asks. It alone calls synctest.Wait.
type checker struct {
	w       *world
	wake    chan struct{}
	asks    chan func()
	highest uint64 // token seen to be led with, since the walls last disagreed
	forgot  time.Duration
	reigns  *contender // who has to lead, and nobody else, when all is calm
	quiet   *chance
	state   invariants.State
}

// truth is that a candidate's stream told true.
type truth struct {
	who *contender
	v   time.Duration
}

func (k *checker) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var ask func()
		select {
		case <-k.w.done:
			return
		case <-k.wake:
		case <-timer.C:
			timer.Reset(k.quiet.between(1, k.w.plan.ttl/4))
		case ask = <-k.asks:
		}
		synctest.Wait()
		k.check()
		if ask != nil {
			ask()
		}
	}
}

// check holds all candidates against the rules.
func (k *checker) check() {
	w, v := k.w, k.w.now()
	if w.race != nil {
		w.race.check(v)
		return
	}
	tampered := w.ledger.excused(v)
	var leaders []*contender
	for _, c := range w.contenders() {
		if k.unasked(c, v) {
			continue
		}
		if k.examine(c, v) {
			leaders = append(leaders, c)
		}
	}
	if len(leaders) > 1 && !tampered {
		w.violate("two leaders", "%s lead at once", names(leaders))
	}
	k.seconds(v, tampered)
	for _, c := range w.contenders() {
		k.windingUp(c, leaders, v, tampered)
	}
	k.hold(v, tampered)
	for _, t := range w.takeTruths() {
		if c := t.who; t.v == v && !c.leading && !c.machine.frozen(v) && !c.machine.torn(v-2*slowest(c.ttl), v) {
			w.violate("S9", "%s was told true and does not lead", c.name)
		}
	}
	w.watcher.check(v)
	if k.reigns != nil && (len(leaders) != 1 || leaders[0] != k.reigns) {
		w.violate("liveness", "%s was to lead on, and now leads: %s", k.reigns.name, names(leaders))
	}
}

// examine asks one candidate whether it leads, and what with.
func (k *checker) examine(c *contender, v time.Duration) bool {
	w := k.w
	// Each question may end a term: look first at what answers without asking, and put
	// the others in one order or the other.
	work := c.working()
	works := work != nil && work.derived.Err() == nil
	open := work != nil && v%2 == 0 && c.goesOn(work.ctx)
	term, leads := c.asked()
	open = open || work != nil && v%2 == 1 && c.goesOn(work.ctx)
	torn := c.machine.torn(v-jumpNoticed, v)

	if open && (!leads || term.Token != work.term.Token) {
		w.violate("S3", "the context of the work tells %s that it leads term %d, which it does not", c.name, work.term.Token)
	}
	if works && (!leads || term.Token != work.term.Token) && !c.machine.frozen(v) && !torn {
		w.violate("S3", "%s does not lead term %d any more, and the contexts of its work have not ended", c.name, work.term.Token)
	}
	if c.leading && (!leads || term.Token != c.token) {
		c.over[c.token] = true
		c.leading = false
		w.note(c.name, "does not lead term %d any more", c.token)
	}
	if !leads {
		return false
	}
	if c.over[term.Token] {
		w.violate("S7", "%s leads term %d again, which was over", c.name, term.Token)
	}
	if !c.trusted(term.Token, v) {
		w.violate("S1", "%s leads term %d for longer than its last attempt allows", c.name, term.Token)
	}
	if !c.leading {
		k.begins(c, term.Token, v)
	}
	if w.ledger.over(c.ridesOn(term.Token)) {
		w.violate("S11", "%s leads term %d by a session that has ended", c.name, term.Token)
	}
	if c.machine.frozen(v) {
		return true
	}
	if led := c.machine.mono(v) - c.machine.mono(c.since); c.relinquish > 0 && led > c.relinquish {
		w.violate("relinquish", "%s has led term %d for %v, and was to relinquish it after %v", c.name, term.Token, led, c.relinquish)
	}
	if c.ill(v) {
		w.violate("health", "%s leads term %d although too many checks have failed", c.name, term.Token)
	}
	return true
}

// begins takes note of a term that is seen for the first time.
func (k *checker) begins(c *contender, token uint64, v time.Duration) {
	w := k.w
	c.leading, c.token, c.since = true, token, v
	w.note(c.name, "leads term %d", token)
	if at := w.ledger.lastTampered(); at > k.forgot {
		k.forgot = at
		if !w.plan.walls {
			k.highest = 0
		}
	}
	holder, counts := w.ledger.holder(token)
	if holder != c {
		w.violate("tokens", "%s leads term %d, which it did not claim", c.name, token)
	}
	if !counts {
		return
	}
	if token <= k.highest {
		w.violate("tokens", "%s leads term %d after term %d", c.name, token, k.highest)
	}
	k.highest = token
}

// windingUp checks that nobody else leads while the work of a term that was
// ended by choice has not returned and could still be trusted (S8).
func (k *checker) windingUp(c *contender, leaders []*contender, v time.Duration, tampered bool) {
	work := c.working()
	if work == nil || tampered || !c.entitled(work.term.Token, v) {
		return
	}
	for _, other := range leaders {
		if other != c {
			k.w.violate("S8", "%s leads while %s still works for term %d, within its trust", other.name, c.name, work.term.Token)
		}
	}
}

func names(cs []*contender) string {
	var s []string
	for _, c := range cs {
		s = append(s, c.name)
	}
	if len(s) == 0 {
		return "nobody"
	}
	return strings.Join(s, ", ")
}
