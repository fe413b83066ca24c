package election

import (
	"bytes"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/indexes"
	"github.com/seed-a1d591d3/leadership/store"
)

// returned ends the call under way, and takes note of how long it took.
func (m *Machine) returned(now time.Duration, answered bool) *call {
	c := m.call
	m.call = nil
	if answered {
		m.calls.took = max(now-c.start.Mono, m.calls.took/2)
	}
	return c
}

// LookFailed tells that a look has failed.
func (m *Machine) LookFailed(now clock.Instant) {
	m.returned(now.Mono, false)
	m.lookFailed(now.Mono)
	m.hurry(now)
}

// lookFailed takes note of a look that has found nothing to go by.
func (m *Machine) lookFailed(at time.Duration) {
	m.calls.poll = at + m.pollAfter(m.cfg.Retry)
	m.failAgain(at)
	m.tell(Event{Kind: Failed})
}

// failAgain has the next call wait longer after each failure in a row.
func (m *Machine) failAgain(at time.Duration) {
	m.calls.fails++
	m.calls.notBefore = at + m.backoff(m.calls.fails, min(m.cfg.Retry, MaxBackoff))
}

// ReadForeign tells that a look has found what is no record of an election.
func (m *Machine) ReadForeign(now clock.Instant) {
	m.returned(now.Mono, true)
	if m.hasTerm() {
		m.tell(Event{Kind: EndLease, Cause: LostToForeign})
	}
	m.foreign, m.writes.unknown = true, false
	m.lookFailed(now.Mono)
	m.hurry(now)
}

// Read tells what a look has found; nil for no record.
func (m *Machine) Read(pair *store.KVPair, rec Record, now clock.Instant) {
	m.returned(now.Mono, true)
	m.foreign = false
	m.calls.poll = now.Mono + m.pollAfter(m.cfg.Retry)
	changed := m.see(pair, rec, now.Mono)
	ours := m.MayHaveWritten(rec) // and not acknowledged, where it is unknown
	if changed && !ours || !m.writes.unknown {
		m.calls.fails = 0
	}
	switch {
	case !changed: // what was to replace it may yet succeed
	case ours:
		m.writes.sent = []uint64{rec.Beat} // the others can no longer succeed
	case rec.Instance != m.by.Instance:
		m.writes.sent = nil // they were to replace what is gone
		if !m.hasTerm() {
			m.writes.acked = attempt{} // what was given up is not ours, should it come back
		}
	}
	m.calls.fresh = true
	switch {
	case m.writes.check == nil:
	case changed: // what was acknowledged, or what came after it
		m.calls.fails = 0
	default: // it was acknowledged, and is nowhere to be seen
		m.failAgain(now.Mono)
	}
	if m.believed(pair) {
		m.settle(now)
	}
	if !m.Mine() && m.view.Rec.Followed() != nil {
		m.foreign = true
		m.tell(Event{Kind: Unfollowed})
		m.lookFailed(now.Mono)
	}
	m.hurry(now)
}

// see takes note of what was found, or written.
func (m *Machine) see(pair *store.KVPair, rec Record, at time.Duration) bool {
	before := m.view.Rec
	if !m.view.See(pair, rec, at) {
		return false
	}
	switch {
	case !rec.Held() || rec.Instance != before.Instance || rec.Token != before.Token:
		m.list.lives = at
	case rec.Beat != before.Beat:
		m.list.lives = at + rec.TTL()/2
	}
	m.tell(Event{Kind: Changed})
	return true
}

// believed holds the index that a write returned against the one that a read found
// (S10). It reports whether what was found can be built upon.
func (m *Machine) believed(found *store.KVPair) bool {
	wrote := m.writes.check
	m.writes.check = nil
	switch m.issued.Proof.Judge(wrote, found) {
	case indexes.Doubt:
		m.writes.unknown = false
		return false
	case indexes.Unsafe:
		m.writes.unknown, m.stop.begun, m.stop.unsafe = false, true, true
		m.tell(Event{Kind: Condemned, Wrote: wrote, Found: found})
		if m.hasTerm() {
			m.tell(Event{Kind: EndLease, Cause: LostStore})
		}
		return false
	default:
		return true
	}
}

// Wrote tells that the store has acknowledged a write, and what it has returned for it.
func (m *Machine) Wrote(pair *store.KVPair, value []byte, now clock.Instant) {
	c := m.returned(now.Mono, true)
	rec := c.step.Record
	own := rec.Instance == m.by.Instance
	m.calls.notBefore = now.Mono
	switch {
	case own:
		m.writes.acked = attempt{rec.Beat, c.start}
	case !m.hasTerm():
		m.writes.sent, m.writes.acked = nil, attempt{} // what was given up is not ours, should it come back
	}
	if !m.issued.Proof.Verified() || !bytes.Equal(pair.Value, value) {
		// Not every store returns what it wrote, and one that is not known to compare
		// and swap has to show that its indexes hold.
		m.writes.unknown, m.writes.check = true, pair
		m.hurry(now)
		return
	}
	m.calls.fails = 0
	m.see(pair, rec, now.Mono)
	if own {
		m.writes.sent = []uint64{rec.Beat} // the others can no longer succeed
	}
	m.settle(now)
	m.hurry(now)
}

// PutFailed tells that a write was not acknowledged: it may have happened or not.
// refused says that another write came first.
func (m *Machine) PutFailed(refused bool, now clock.Instant) {
	c := m.returned(now.Mono, false)
	// The first failure is followed by a look at once: it is most often a race that
	// was lost.
	m.writes.unknown = true
	m.calls.fails++
	if m.calls.fails > 1 {
		m.calls.notBefore = now.Mono + m.backoff(m.calls.fails-1, min(m.cfg.Retry, MaxBackoff))
	}
	if c.step.Op == "enlist" {
		m.list.at, m.list.refused = clock.Never, m.list.refused+1
	}
	if !refused || m.calls.fails > Refusals {
		m.tell(Event{Kind: Failed})
	}
	m.hurry(now)
}

// hurry has the next try come soon enough after a failure, while it leads.
func (m *Machine) hurry(now clock.Instant) {
	if !m.hasTerm() || m.calls.notBefore <= now.Mono {
		return
	}
	left := m.left(now)
	if m.term.over || left == 0 {
		return
	}
	least := min(leastPause, m.by.TTL/75)
	after := min(m.calls.notBefore-now.Mono, left/8-time.Duration(m.cfg.Float64()*float64(left)/32))
	m.calls.notBefore = now.Mono + max(after, least)
}

// settle draws the conclusions from a record that was just seen.
func (m *Machine) settle(now clock.Instant) {
	m.writes.unknown = false
	rec, t := m.view.Rec, m.term.rec
	leading := m.leading()
	older := leading && (m.view.Pair == nil || rec.Token < t.Token ||
		rec.Token == t.Token && m.Mine() && rec.Beat < m.writes.acked.beat)
	if m.Mine() && !m.MayHaveWritten(rec) && !older {
		m.copied(rec)
		return
	}
	switch {
	case m.Mine() && !older:
		switch {
		case rec.Beat != m.writes.acked.beat: // it has yet to be acknowledged (S5)
		case !m.hasTerm():
			m.begin(rec)
		case t.Token == rec.Token: // the lease does not go by it, if that is over (S7)
			m.term.start = m.writes.acked.start
			m.tell(Event{Kind: Renewed, Start: m.term.start})
		}
	case !leading:
	case older:
		m.tell(Event{Kind: Rewriting, Record: t})
	default:
		m.tell(Event{Kind: EndLease, Cause: LostTo, Record: rec})
	}
	if m.Mine() {
		if !leading || rec.Token == t.Token {
			m.obey(rec.Ask)
		}
	} else if rec.Token > m.leave.endedToken {
		m.by.Cooldown = 0 // somebody else leads, or has led, since we resigned
	}
	m.planEnlisting(now.Mono)
}

// begin begins the term of a claim that was acknowledged, unless it is not wanted any
// more.
func (m *Machine) begin(rec Record) {
	if m.leave.vacating || m.stop.begun || rec.Token <= m.leave.endedToken {
		return
	}
	start := m.writes.acked.start
	m.term = term{rec: rec, began: start, start: start, working: m.works}
	m.by.Cooldown = 0
	m.tell(Event{Kind: Began, Record: rec, Start: start})
}

// obey has the leader do what it is asked to in its record.
func (m *Machine) obey(r *Request) {
	reason := r.ReasonToGo(m.by.Node)
	switch {
	case reason == "":
	case m.hasTerm():
		m.tell(Event{Kind: EndLease, Cause: ByRequest, Request: r})
	case !r.Pauses(): // which holds for everybody, and is seen to elsewhere
		m.giveUp(reason) // of a term that has run out
	}
}

// copied ends a term, or claim, that another process takes for its own: one with the
// same memory, as that of a machine that was cloned, or restored from a snapshot. The
// campaign goes on as somebody else, for whom the other is a rival.
func (m *Machine) copied(rec Record) {
	if m.hasTerm() {
		m.tell(Event{Kind: EndLease, Cause: LostToCopy, Record: rec})
	}
	m.tell(Event{Kind: Copied, Record: rec})
	m.writes.sent = nil
	m.by.Instance = m.cfg.Instance()
}

// planEnlisting chooses when the campaign enters itself among those that wait, while the
// holder lives: each entry is a change, from which rivals wait anew (S2), and would keep
// a dead one in its seat.
func (m *Machine) planEnlisting(at time.Duration) {
	by := m.by
	missing := m.view.Rec.Held() && !m.Mine() && !m.view.Rec.onList(by.Node, by.Priority)
	switch {
	case !missing:
		m.list.at, m.list.refused = clock.Never, 0
	case m.list.at == clock.Never || at >= m.list.lives:
		// Not all at once: the leader's renewals would be refused.
		spread := by.TTL << min(m.list.refused, 4)
		m.list.at = max(at+by.Cooldown, m.leave.notBefore) + time.Duration(m.cfg.Float64()*float64(spread))
	}
}
