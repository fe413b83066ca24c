package sim

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/invariants"
	"github.com/seed-a1d591d3/leadership/store"
)

// attempt is a write of the record that is under way.
type attempt struct {
	by      *contender      // the candidate, or the server
	waits   context.Context // of who waits for it
	start   time.Duration
	rec     record
	based   *entry
	made    *entry
	refused bool // it is not acknowledged, though it has taken effect
}

// forever is longer than all worlds.
const forever = time.Duration(1) << 60

// clocks are those of who waits for an attempt, and of who trusts in it.
type clocks struct{ waits, trusts *machine }

// Elapsed implements invariants.Clock.
func (c clocks) Elapsed(from, to time.Duration) time.Duration {
	return c.trusts.read(to).Since(c.trusts.read(from))
}

// Waited implements invariants.Clock.
func (c clocks) Waited(from, to time.Duration) time.Duration {
	return c.waits.mono(to) - c.waits.mono(from)
}

func (l *ledger) sends(by *contender) sends {
	return func(ctx, waits context.Context, key string, value []byte, previous *store.KVPair) func() {
		start, _ := ctx.Value(departed{}).(departure)
		a := &attempt{by: by, waits: waits, start: start.v}
		if key != l.key || json.Unmarshal(value, &a.rec) != nil {
			return func() {} // which is told when it takes effect
		}
		if e, _, ok := l.find(previous); ok {
			a.based = &e
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.attempts = append(l.attempts, a)
		return func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.attempts = slices.DeleteFunc(l.attempts, func(other *attempt) bool { return other == a })
		}
	}
}

// applied takes note of an attempt that has just taken effect. The lock is held.
func (l *ledger) applied(ctx context.Context, made entry) {
	for _, a := range l.attempts {
		if start, ok := ctx.Value(departed{}).(departure); ok && start.v == a.start && a.by == made.by && a.made == nil {
			a.made, a.refused = &made, l.refuses()
		}
	}
}

// hold holds what there is against the invariants of the proof, unless somebody has
// tampered with the record.
func (k *checker) hold(v time.Duration, tampered bool) {
	l := k.w.ledger
	if tampered {
		return
	}
	s := &k.state
	s.Now, s.Highest = v, k.highest
	if l.lastTampered() > k.forgot {
		s.Highest = 0
	}
	s.Writes, s.Views, s.Claimants, s.Attempts = s.Writes[:0], s.Views[:0], s.Claimants[:0], s.Attempts[:0]
	for _, c := range k.w.contenders() {
		k.holdClaimant(c, v)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuses() && l.cut.from > l.tampered {
		s.Writes = append(s.Writes, l.write(l.cut.last))
		for _, e := range l.history {
			if e.v > l.cut.from {
				s.Writes = append(s.Writes, l.write(e))
			}
		}
	} else {
		s.Writes = append(s.Writes, l.write(l.last()))
	}
	for _, a := range l.attempts {
		k.holdAttempt(a, v)
	}
	if name, how := invariants.Broken(s); name != "" {
		k.w.violate("invariant", "%s: %s", name, how)
	}
}

// unasked reports whether a process does not tell how it stands.
func (k *checker) unasked(c *contender, v time.Duration) bool {
	return k.w.plan.shy && (c.machine.frozen(v) || c.machine.torn(v-jumpNoticed, v))
}

func (k *checker) holdClaimant(c *contender, v time.Duration) {
	claimant := invariants.Claimant{
		Name: c.name, Clock: clocks{c.machine, c.machine}, Length: c.ttl - c.margin, Term: c.token, Leads: c.leading && !k.unasked(c, v),
	}
	if c.session != nil {
		claimant.Length = forever // as long as its session: see examine
	}
	if w := c.working(); w != nil && !claimant.Leads {
		claimant.Works = c.entitled(w.term.Token, v)
	}
	k.state.Claimants = append(k.state.Claimants, claimant)
	if seen, ok := c.sight(); ok {
		k.state.Views = append(k.state.Views, invariants.View{Who: c.name, Write: invariants.Write{At: seen.written}, Since: seen.v})
	}
}

// holdAttempt adds an attempt. The ledger's lock is held.
func (k *checker) holdAttempt(a *attempt, v time.Duration) {
	l := k.w.ledger
	who, margin, instance := a.by, a.by.margin, a.rec.Instance
	if instance == "" && a.based != nil {
		instance = a.based.rec.Instance
	}
	if serves := a.by.serves; serves != nil {
		if who = l.claimed[instance]; who == nil {
			return
		}
		margin = serves.safety(a.rec.ttl())
	}
	is := invariants.Attempt{
		Kind: a.kind(), Owner: who.name, Clock: clocks{a.by.machine, who.machine}, Token: a.rec.Token,
		Start: a.start, Length: a.rec.ttl() - margin,
	}
	if a.rec.Session != "" {
		is.Length = forever // until its session has ended
	}
	if a.based != nil && !(a.by.serves != nil && l.untold(a.by, *a.based)) {
		based := l.write(*a.based)
		if s := a.based.rec.Session; s != "" && s != a.rec.Session && is.Kind == invariants.Claim {
			based.TTL = forever
			if ended, ok := l.ended[s]; ok { // for good, so nobody has to wait
				based.At, based.TTL = max(based.At, ended), 0
			}
		}
		is.Based = &based
	}
	if a.made != nil {
		made := l.write(*a.made)
		is.Made = &made
		is.Open = is.Kind <= invariants.Claim && !a.refused && a.waits.Err() == nil && !who.over[a.rec.Token]
		if _, ended := l.ended[a.rec.Session]; ended {
			is.Open = false
		}
	}
	switch is.Kind {
	case invariants.Claim:
		if a.based != nil && a.by.serves == nil {
			is.Hold = a.based.rec.heldBack(who)
		}
	case invariants.Vacancy:
		w := who.working()
		is.Ended = k.unasked(who, v) || a.rec.Token != who.token || !who.leading && (w == nil || w.term.Token != a.rec.Token)
	}
	k.state.Attempts = append(k.state.Attempts, is)
}

// kind returns what an attempt does.
func (a *attempt) kind() invariants.Kind {
	switch {
	case a.based != nil && a.rec.annotates(a.based.rec):
		return invariants.Note
	case !a.rec.held():
		return invariants.Vacancy
	case a.based != nil && a.based.rec.Token == a.rec.Token:
		return invariants.Renewal
	}
	return invariants.Claim
}

// write returns an entry as invariants have it. The lock is held.
func (l *ledger) write(e entry) invariants.Write {
	w := invariants.Write{Token: e.rec.Token, At: e.v, TTL: e.rec.ttl()}
	if e.rec.held() {
		w.Holder = e.rec.Instance
		if who := l.writers[e.rec.Instance]; who != nil {
			w.Holder = who.name
		}
	}
	return w
}
