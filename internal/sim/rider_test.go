package sim

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	leadership "github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/store"
)

const (
	prefix    = "service/sim/"
	sessions  = prefix + "sessions/"
	secondKey = prefix + "second"
)

func isSession(key string) bool { return strings.HasPrefix(key, sessions) }

// lane tells the calls of one process apart that it makes at one instant. Sessions have random
// names.
func lane(key string) string {
	switch {
	case isSession(key):
		return sessions
	case key == secondKey:
		return key
	}
	return ""
}

// nameOf returns how records name the session under a key.
func nameOf(key string) string { return strings.TrimPrefix(key, prefix) }

// ride has candidates ride on sessions, with faults that concern those alone.
func (p *plan) ride(c *chance) {
	p.rides = true
	one := c.n(len(p.slots))
	for i := range p.slots {
		s := &p.slots[i]
		s.rides = i == one || c.p(0.6)
		for v := c.spread(p.ttl/2, 10*p.ttl); s.rides && c.p(0.5) && v < p.faults; v += c.spread(p.ttl/2, 10*p.ttl) {
			end := min(v+c.spread(p.ttl/10, 5*p.ttl), p.faults)
			s.link.shards = append(s.link.shards, shard{span{v, end}, c.p(0.3)})
			v = end
		}
	}
	if c.p(0.6) { // the store may lose what it has acknowledged
		for i := range p.cuts {
			p.cuts[i].lags = c.p(0.5)
		}
	}
	if c.p(0.3) {
		for range 1 + c.n(4) {
			p.strays = append(p.strays, c.between(p.ttl, p.faults))
		}
	}
}

// outlives is for how long a holder may trust a record after it is gone: see
// election.Record.Outlives.
func (p *plan) outlives() time.Duration {
	if p.rides {
		return 2 * p.longestTTL
	}
	return p.longestTTL
}

// riding is what is known of one who rides.
type riding struct {
	session *leadership.Session // nil for one who does not
	second  *second
	on      map[uint64]string // the names of the sessions that its terms ride on, by token
	beats   map[string]trust  // in its sessions, by name
	half    observation       // what was read last of a term that rides, until its session is, by the same look
	halfway context.Context   // of that
}

// saddle gives a new candidate a session, and a second election to stand in with that.
func (s *slot) saddle(who *contender) leadership.Option {
	opts := append([]leadership.Option{clock.Option(who.machine).(leadership.Option)}, s.session...)
	who.session = leadership.NewSession(who.link, prefix, s.node, s.ttl, opts...)
	who.on, who.beats = map[uint64]string{}, map[string]trust{}
	who.link.beats = who.looksAtSession
	ride := leadership.WithSession(who.session)
	who.second = &second{
		who: who, candidate: leadership.NewCandidate(who.link, secondKey, s.node, s.ttl, append(opts, ride)...),
		on: map[uint64]string{}, quit: make(chan struct{}),
	}
	s.w.background.Go(func() { who.second.live(s.dice.child(who.name + " second").rolls()) })
	return ride
}

// leave ends what else runs in the process.
func (c *contender) leave() {
	if c != nil && c.session != nil {
		c.second.once.Do(func() { close(c.second.quit) })
	}
}

// rides takes note of a session that a term is to ride on.
func (c *contender) rides(token uint64, session string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if was, known := c.on[token]; known && was != session {
		c.w.violate("S11", "%s has term %d ride on %q, and it rode on %q", c.name, token, session, was)
	}
	if session != "" {
		c.on[token] = session
	}
}

// ridesOn returns the session that a term rides on, or "".
func (c *contender) ridesOn(token uint64) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.on[token]
}

// looked takes note of a look, made at v, that has found a term of its own.
func (c *contender) looked(rec record, v time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t, acknowledged := c.trusts[rec.Token]; acknowledged {
		c.trusts[rec.Token] = c.extended(t, v, rec.trusted(c.margin), false)
	}
}

// looksAtSession takes note of a look at the session of a record that was read just before.
func (c *contender) looksAtSession(ctx context.Context, _ string, _ *store.KVPair) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.half.v > 0 && c.halfway == ctx {
		c.seen, c.half = c.half, observation{}
	}
}

// wroteOther holds a write of another key than the first. The lock is held.
func (l *ledger) wroteOther(by *contender, pair *store.KVPair, start departure) {
	var rec record
	if err := json.Unmarshal(pair.Value, &rec); err != nil {
		l.w.violate("record", "%s wrote what is no record: %q: %v", by.name, pair.Value, err)
		return
	}
	old := latest(l.others[pair.Key])
	l.others[pair.Key] = append(l.others[pair.Key], entry{l.w.now(), pair.LastIndex, pair.Value, rec, by})
	l.w.note(by.name, "wrote %s: %v, index %d", pair.Key, rec, pair.LastIndex)
	if isSession(pair.Key) {
		l.wroteSession(by, pair.Key, rec, old, start)
	} else {
		l.wroteSecond(by, rec, old, start)
	}
}

// wroteSession holds a write of a session: by its owner, or by a rival who ends it.
func (l *ledger) wroteSession(by *contender, key string, rec record, old entry, start departure) {
	held := slices.DeleteFunc(slices.Clone(l.others[key]), func(e entry) bool { return e.value == nil || !e.rec.held() || e.by == nil })
	switch owner := held[0].by; {
	case rec.held() && by != owner:
		l.w.violate("S11", "%s wrote %s, which is %s's", by.name, key, owner.name)
	case rec.held() && old.value != nil && !old.rec.held():
		l.w.violate("S11", "%s renewed %s, which has ended", by.name, key)
	case rec.held():
		*start.acked = func() {
			by.mu.Lock()
			defer by.mu.Unlock()
			by.beats[nameOf(key)] = by.extended(by.beats[nameOf(key)], start.v, rec.ttl()-by.margin, start.sure)
		}
	default:
		l.worked(by, nameOf(key), start)
		if _, ended := l.ended[nameOf(key)]; ended {
			return // and its record was lost
		}
		l.ended[nameOf(key)] = l.w.now()
		m, ttl := by.machine, held[len(held)-1].rec.ttl()
		if waited := m.mono(start.v) - m.mono(old.v); by != owner && waited < ttl {
			l.w.violate("S11", "%s ended %s, with a TTL of %v, that was %v old by its clock", by.name, key, ttl, waited)
		}
	}
}

// worked holds the end of a session by its owner against the work of a term that rides on it:
// until the session would have expired that has to have returned (S8).
func (l *ledger) worked(by *contender, session string, start departure) {
	w := by.working()
	if w == nil || by.ridesOn(w.term.Token) != session {
		return
	}
	by.mu.Lock()
	defer by.mu.Unlock()
	if by.machine.mono(start.v) < by.beats[session].sure+by.margin {
		l.w.violate("S8", "%s gave up %s, on which term %d rides, whose work has not returned", by.name, session, w.term.Token)
	}
}

// AtomicDelete implements store.Store.
func (d desk) AtomicDelete(ctx context.Context, key string, previous *store.KVPair) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ok, err := d.Store.AtomicDelete(ctx, key, d.stored(previous))
	if err == nil && ok {
		if old := latest(d.others[key]); key == d.key || old.rec.held() {
			d.w.violate("record", "%s deleted %s: %v", d.who.name, key, old.rec)
		}
		d.others[key] = append(d.others[key], entry{v: d.w.now()})
		d.w.note(d.who.name, "deleted %s", key)
		if d.refuses() {
			return false, errNotAcknowledged
		}
	}
	return ok, err
}

// riding holds a claim in place of a term that rides on a session, which has to have ended;
// or it is that of the same process, and the term was left there.
func (l *ledger) riding(by *contender, rec record, old entry, start departure) {
	ended, ok := l.ended[old.rec.Session]
	switch waited := by.machine.mono(start.v) - by.machine.mono(old.v); {
	case rec.Session == old.rec.Session && rec.Instance == old.rec.Instance:
	case rec.Session == old.rec.Session && waited < old.rec.ttl():
		l.w.violate("S11", "%s replaced term %d, that was left on its own session, after %v", by.name, old.rec.Token, waited)
	case rec.Session != old.rec.Session && (!ok || ended > start.v):
		l.w.violate("S11", "%s replaced term %d, whose session %s has not ended", by.name, old.rec.Token, old.rec.Session)
	}
}

// over reports whether a session has ended.
func (l *ledger) over(session string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.ended[session]
	return ok
}

// stray tampers with sessions as planned.
func (w *world) stray() {
	c := w.dice.child("stray operator").rolls()
	for _, v := range slices.Sorted(slices.Values(w.plan.strays)) {
		w.sleepUntil(v)
		w.ledger.stray(c)
		w.recheck()
	}
}

// stray deletes the record of a session, or puts an older one back that had not ended. Nobody
// is excused for that.
func (l *ledger) stray(c *chance) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var keys []string
	for key, history := range l.others {
		if isSession(key) && latest(history).value != nil {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return
	}
	slices.SortFunc(keys, func(a, b string) int { return int(latest(l.others[b]).index) - int(latest(l.others[a]).index) }) // they have random names
	key, ctx := keys[c.n(min(len(keys), 3))], context.Background()
	older := slices.DeleteFunc(slices.Clone(l.others[key]), func(e entry) bool { return e.value == nil })
	if c.p(0.5) {
		if l.Delete(ctx, key) == nil {
			l.others[key] = append(l.others[key], entry{v: l.w.now()})
			l.w.note("operator", "deleted %s", key)
		}
		return
	}
	e := older[c.n(len(older))]
	if l.Put(ctx, key, e.value, nil) != nil {
		return
	}
	if pair, err := l.Get(ctx, key, nil); err == nil {
		l.others[key] = append(l.others[key], entry{l.w.now(), pair.LastIndex, e.value, e.rec, nil})
		l.w.note("operator", "put back %s: %v", key, e.rec)
	}
}
