package election

import (
	"bytes"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/indexes"
	"github.com/seed-a1d591d3/leadership/store"
)

// returned takes the call that was under way, and notes how long it took if it was answered,
// without what it may have waited for others.
func (m *Machine) returned(now time.Duration, answered bool) *call {
	c := m.call
	m.call = nil
	if took := now - c.start.Mono; answered {
		m.calls.took = max(took-c.step.Idle, m.calls.took/2)
		if c.step.Idle > 0 { // nobody knows how long it has waited
			return c
		}
		m.calls.quick = min(took, m.calls.quick+m.calls.quick/32)
		if m.calls.quick == 0 {
			m.calls.quick = took
		}
	}
	return c
}

// LookFailed tells the machine that a look has failed.
func (m *Machine) LookFailed(now clock.Instant) {
	m.returned(now.Mono, false)
	m.lookFailed(now.Mono)
	m.hurry(now)
}

// lookFailed notes that a look has found nothing to decide upon: try again later.
func (m *Machine) lookFailed(at time.Duration) {
	m.calls.poll = at + m.pollAfter(m.cfg.Retry)
	m.failAgain(at)
	m.tell(Event{Kind: Failed})
}

// failAgain counts a failure, and delays the next call: longer after each in a row.
func (m *Machine) failAgain(at time.Duration) {
	m.calls.fails++
	m.calls.notBefore = at + m.backoff(m.calls.fails, min(m.cfg.Retry, MaxBackoff))
}

// ReadForeign tells the machine that a look has found a value that is no record of an
// election.
func (m *Machine) ReadForeign(now clock.Instant) {
	m.returned(now.Mono, true)
	if m.hasTerm() {
		m.tell(Event{Kind: EndLease, Cause: LostToForeign})
	}
	m.foreign, m.writes.unknown = true, false
	m.lookFailed(now.Mono)
	m.hurry(now)
}

// Read tells the machine what a look has found; a nil pair means that there is no record.
func (m *Machine) Read(pair *store.KVPair, rec Record, now clock.Instant) {
	look := m.returned(now.Mono, true)
	m.foreign = false
	m.calls.looked, m.calls.poll = now.Mono, now.Mono+m.pollAfter(m.cfg.Retry)
	changed := m.see(pair, rec, now.Mono)
	ours := m.MayHaveWritten(rec) // which says nothing of an acknowledgement
	if changed && !ours || !m.writes.unknown {
		m.calls.fails = 0
	}
	switch {
	case !changed: // a write that was to replace it may still succeed
	case ours:
		m.writes.sent = []uint64{rec.Beat} // all others were to replace what is gone, and fail
	case rec.Instance != m.by.Instance:
		m.writes.sent = nil // they were to replace what is gone, and fail
		if !m.hasTerm() {
			m.writes.acked = attempt{} // what was given up is not ours, even if the store brings it back
		}
	}
	m.calls.fresh = true
	switch {
	case m.writes.check == nil:
	case changed: // it is the acknowledged write, or a later one
		m.calls.fails = 0
	default: // the acknowledged write does not show: look again
		m.failAgain(now.Mono)
		if now.Mono < clock.Later(m.writes.acked.start.Mono, m.by.TTL) { // a claim may show yet, and has to (S10)
			m.hurry(now)
			return
		}
	}
	if m.believed(pair) {
		m.settle(now, look.start)
	}
	if !m.Mine() && m.view.Rec.Followed() != nil {
		m.foreign = true
		m.tell(Event{Kind: Unfollowed})
		m.lookFailed(now.Mono)
	}
	m.hurry(now)
}

// see notes what was found, or written, and reports whether that is another pair.
func (m *Machine) see(pair *store.KVPair, rec Record, at time.Duration) bool {
	before, other := m.view.Rec, !m.view.Known || !indexes.Same(m.view.Pair, pair)
	if !m.view.See(pair, rec, at) {
		return false
	}
	switch {
	case !rec.Held() || rec.Instance != before.Instance || rec.Token != before.Token:
		m.list.lives = at
	case rec.Beat != before.Beat || !indexes.Same(rec.Beats(), before.Beats()):
		m.list.lives = at + rec.TTL()/2
	}
	if rec.Held() && rec.Instance != m.by.Instance {
		m.calls.race.lost(at, m.calls.quick)
	}
	if other {
		m.tell(Event{Kind: Changed})
	}
	return other
}

// believed compares the index that a write returned with the one that a read found (S10).
// It reports whether to decide by what was found: not when the two contradict each other.
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
		return false // there is no term: see begin
	default:
		return true
	}
}

// Wrote tells the machine that the store has acknowledged a write of value, and returned
// pair for it.
func (m *Machine) Wrote(pair *store.KVPair, value []byte, now clock.Instant) {
	c := m.returned(now.Mono, true)
	rec := c.step.Record
	own := rec.Instance == m.by.Instance
	m.calls.notBefore = now.Mono
	if c.step.Op == "claim" {
		m.calls.race.won()
	}
	switch {
	case own:
		m.writes.acked = attempt{rec.Beat, c.start}
	case !m.hasTerm():
		m.writes.sent, m.writes.acked = nil, attempt{} // what was given up is not ours, even if the store brings it back
	}
	if !m.issued.Proof.Verified() || !bytes.Equal(pair.Value, value) {
		// Not every store returns what it wrote, and one that is not known to compare
		// and swap has to show that its indexes hold.
		m.writes.unknown, m.writes.check = true, &store.KVPair{Key: pair.Key, Value: value, LastIndex: pair.LastIndex}
		m.hurry(now)
		return
	}
	m.calls.fails = 0
	m.see(pair, rec, now.Mono)
	if own {
		m.writes.sent = []uint64{rec.Beat} // all others were to replace what is gone, and fail
	}
	m.settle(now, c.start)
	m.hurry(now)
}

// SessionEnded tells the machine that the call has returned that was to end a session.
// refused means that the store refused it, because another write came first.
func (m *Machine) SessionEnded(failed, refused bool, now clock.Instant) {
	m.returned(now.Mono, !failed)
	m.calls.hinted, m.calls.fresh = true, false // to see what has come of it
	switch {
	case refused && m.calls.fails == 0: // another was faster, most often
		m.calls.fails++
	case failed:
		m.failAgain(now.Mono)
	}
	if failed && !refused {
		m.tell(Event{Kind: Failed})
	}
}

// PutFailed tells the machine that a write was not acknowledged: it may have happened or
// not. refused means that the store refused it, because another write came first.
func (m *Machine) PutFailed(refused bool, now clock.Instant) {
	c := m.returned(now.Mono, false)
	// After the first failure the next call, a look, follows at once: most often another
	// candidate was faster.
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

// hurry brings the next try forward after a failure, so that several fit into the trust
// that is left to a leader.
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

// settle acts upon the record that was just seen, by a call that began at start: whatever
// became of the last write, this is what is stored.
func (m *Machine) settle(now, start clock.Instant) {
	m.writes.unknown = false
	if !m.cfg.Rides {
		start = m.writes.acked.start // trust is renewed by what is acknowledged (S5)
	}
	rec, t := m.view.Rec, m.term.rec
	leading := m.leading()
	older := leading && (m.view.Pair == nil || rec.Token < t.Token ||
		rec.Token == t.Token && m.Mine() && rec.Beat < m.writes.acked.beat)
	if m.cfg.Once && m.view.Pair != nil && !rec.Held() {
		older = false // a session that has ended, in whatever record (S11)
	}
	if m.Mine() && !m.MayHaveWritten(rec) && !older {
		m.copied(rec)
		return
	}
	switch {
	case m.Mine() && !older:
		switch {
		case rec.Beat != m.writes.acked.beat: // it was read, not acknowledged: write once more (S5)
		case !m.hasTerm():
			m.begin(rec)
		case t.Token == rec.Token: // a lease that is over takes no notice of it (S7)
			m.term.start = start
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
	}
	m.found(now.Mono)
}

// found draws the conclusions from the record that was just seen that concern no term of
// this campaign.
func (m *Machine) found(at time.Duration) {
	if !m.Mine() && m.view.Rec.Token > m.leave.endedToken {
		m.by.Cooldown = 0 // somebody else leads, or has led, since our term ended
	}
	m.planEnlisting(at)
}

// begin begins the term of a claim that was acknowledged, unless the seat is about to be
// given up, or a term of that token is over, or the store has yet to show that its indexes
// hold (S10): an operator's request between the claim and the look after it hides that.
// Then the claim is made once more.
func (m *Machine) begin(rec Record) {
	if !m.issued.Proof.Verified() || m.leave.vacating || m.stop.begun || rec.Token <= m.leave.endedToken {
		return
	}
	start := m.writes.acked.start
	m.term = term{rec: rec, began: start, start: start, working: m.works}
	m.by.Cooldown = 0
	m.tell(Event{Kind: Began, Record: rec, Start: start})
}

// obey makes the leader go if a request in its record asks for that. A candidate obeys
// requests here and in next, which gives up a seat that is paused, too.
func (m *Machine) obey(r *Request) {
	reason := r.ReasonToGo(m.by.Node)
	switch {
	case reason == "":
	case m.hasTerm():
		m.tell(Event{Kind: EndLease, Cause: ByRequest, Request: r})
	case !r.Pauses(): // next gives up a seat that is paused
		m.giveUp(reason) // the term has run out, and the record is still ours
	}
}

// copied deals with a record that names this campaign's instance and was written by another
// process: one that has the same memory, because its machine was cloned or restored from a
// snapshot. Its term ends, and the campaign goes on with a new instance, to which the other
// is a rival.
func (m *Machine) copied(rec Record) {
	if m.hasTerm() {
		m.tell(Event{Kind: EndLease, Cause: LostToCopy, Record: rec})
	}
	m.tell(Event{Kind: Copied, Record: rec})
	m.writes.sent = nil
	m.by.Instance = m.cfg.Instance()
}

// planEnlisting chooses when the candidate enters itself in the record's list of those that
// wait. It does so only while the holder is seen to renew: an entry changes the record, so all
// rivals wait for another TTL (S2), and entries would keep a dead holder in its seat.
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
