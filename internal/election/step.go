package election

import (
	"bytes"
	"slices"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/store"
)

// Do is what a Step is.
type Do int

// The steps.
const (
	Wait   Do = iota // until something happens, or the clock shows Until
	Look             // read the record, and tell Read or LookFailed
	Put              // write Record in place of Previous, and tell Wrote or PutFailed
	End              // the same under the key of the session of Seen, and tell SessionEnded
	Finish           // the campaign has ended
)

// Step is what a driver is to do next.
type Step struct {
	Do       Do
	Until    time.Duration // of Wait; may be clock.Never
	Slack    time.Duration // of Wait: how much later it may end, so that many can end at once
	Limit    time.Duration // of Look, Put and End: how long the call is waited for
	Idle     time.Duration // of Look: how long it may wait for others, because only the time calls for it
	Op       string        // of Put: "claim", "renew", "vacate" or "enlist"
	Record   Record
	Previous *store.KVPair // nil: there is none
	Seen     Record        // of End: what rides on the session
}

// Step returns what to do next, at now. After Look or Put the answer is to be told
// before the next Look or Put.
func (m *Machine) Step(now clock.Instant) Step {
	s := m.next(now)
	switch s.Do {
	case Look, Put, End:
		s.Limit = m.limit(now)
		if s.Limit == 0 {
			return Step{Until: now.Mono + time.Millisecond} // the trust has run out: the lease is about to say so
		}
		m.call = &call{s, now}
	case Wait:
		m.calls.fresh = false
		if m.leading() {
			if due := m.cfg.Schedule.Due(m.term.began, now); due != clock.Never && clock.Later(now.Mono, due) < s.Until {
				s.Until, s.Slack = clock.Later(now.Mono, due), 0
			}
		}
	}
	switch {
	case s.Do == Look:
		m.calls.hinted = false
	case s.Do == Put && s.Record.Instance == m.by.Instance:
		if len(m.writes.sent) == maxSent {
			m.writes.sent = slices.Delete(m.writes.sent, 1, 2) // the first may be the one that stands
		}
		m.writes.sent = append(m.writes.sent, s.Record.Beat)
	}
	return s
}

// next chooses the next step.
func (m *Machine) next(now clock.Instant) Step {
	at := now.Mono
	if m.finished(at) {
		return Step{Do: Finish}
	}
	switch {
	case m.call != nil:
		return Step{Until: m.deadline()}
	case at < m.calls.notBefore:
		return Step{Until: min(m.calls.notBefore, m.deadline())}
	case m.hasTerm() && m.term.over:
		return Step{Until: clock.Never} // for the work to return
	case m.writes.unknown:
		return m.lookSoon(m.writes.check != nil && m.view.Rec.Ended())
	case m.hasTerm():
		return m.lead(now)
	case (m.stop.begun || m.leave.vacating || m.view.Rec.Ask.Pauses() || !m.health.well) && m.by.holds(m.view.Rec) && !m.foreign:
		if until := m.keeps(at); at < until {
			return Step{Until: min(until, m.deadline())}
		}
		return m.put("vacate", m.view.Rec.Vacated(m.nextBeat(), m.leave.reason))
	}
	m.leave.vacating = false
	return m.compete(now)
}

// lead is the next step of one that leads.
func (m *Machine) lead(now clock.Instant) Step {
	at, rec := now.Mono, m.view.Rec
	stale := !bytes.Equal(rec.Payload, m.by.Payload)
	next := m.term.start.Mono + m.cfg.Renew
	if m.cfg.Rides { // the term is looked at, and written only to answer
		next = m.term.start.Mono + m.cfg.Trust/10*6
		stale = stale || rec.Beat != m.writes.acked.beat || rec.Ask != rec.Ask.afterRenewal(m.by.Node)
	}
	switch {
	case !m.Mine() || stale || !m.cfg.Rides && at >= next:
		return m.put("renew", m.renewal())
	case m.calls.hinted || at >= next && m.calls.fails > 0:
		return Step{Do: Look}
	case at >= next:
		return Step{Do: Look, Idle: m.limit(now) / 2}
	case m.cfg.Rides:
		return Step{Until: next, Slack: m.cfg.Trust / 32}
	}
	return Step{Until: next}
}

// compete is the next step of one that does not lead.
func (m *Machine) compete(now clock.Instant) Step {
	at := now.Mono
	verdict, free := Decide(&m.view, &m.by, false, at)
	if m.once(m.view.Pair != nil && !m.Mine()) { // somebody has ended it before it began
		return Step{Until: at}
	}
	able := m.view.Known && !m.foreign && m.health.well && (m.by.Session != "" || !m.cfg.Rides) &&
		(verdict == MayTake || verdict == MustWait || verdict == MustEnd)
	free = max(free, m.leave.notBefore)
	if to, _ := m.view.Rec.Ask.Transfers(); able && !m.Mine() && to != m.by.Node {
		free = m.calls.race.turn(at, free, m.calls.quick, m.cfg.Retry/16, m.cfg.Float64)
	}
	claimable := able && at >= free
	switch {
	case claimable && m.calls.fresh && verdict == MustEnd:
		rec := m.view.Rec
		return Step{Do: End, Seen: rec, Record: rec.EndSession(m.nextBeat()), Previous: rec.Ride.Pair}
	case claimable && m.calls.fresh:
		return m.put("claim", m.claim(now))
	case claimable:
		return m.lookSoon(m.view.Rec.Session != "")
	case !m.view.Known || m.calls.hinted:
		return Step{Do: Look}
	case at >= m.calls.poll:
		s := Step{Do: Look}
		if m.calls.fails == 0 {
			s.Idle = m.cfg.Limit / 4
		}
		if able { // it is made before the seat may be free
			s.Idle = min(s.Idle, (free-at)/4)
		}
		return s
	case able && at >= m.list.at && at < m.list.lives:
		return m.put("enlist", m.view.Rec.joinList(m.by.Node, m.by.Priority))
	case !able:
		return Step{Until: m.calls.poll}
	case at < m.list.at:
		free = min(free, m.list.at)
	}
	return Step{Until: min(m.calls.poll, free)}
}

// lookSoon is a look that is made now. If many, it waits a moment for those of others: a session
// that has ended leaves thousands of seats, and all look before they claim theirs, and after.
func (m *Machine) lookSoon(many bool) Step {
	s := Step{Do: Look}
	if many && m.calls.fails == 0 {
		s.Idle = min(m.cfg.Retry, m.cfg.Limit) / 256
	}
	return s
}

// finished reports whether the campaign has ended: whether there is nothing left to tidy
// up, or no time for it.
func (m *Machine) finished(at time.Duration) bool {
	if !m.stop.begun || m.hasTerm() {
		return false
	}
	if m.stop.by == clock.Never {
		m.stop.by = at + m.by.TTL
	}
	written := m.writes.unknown || m.by.holds(m.view.Rec) || m.call != nil && m.call.step.Do == Put
	return m.stop.unsafe || m.foreign || !written || at >= m.stop.by
}

// keeps returns until when a record is kept that could be given up: that of a session which was
// lost, until it would have expired by itself. So the work of those who ride on it has that time
// to return (S8), though the session knows nothing of it. Others are given up now, at at.
func (m *Machine) keeps(at time.Duration) time.Duration {
	if m.cfg.Once && m.leave.reason == Expired {
		return clock.Later(m.writes.acked.start.Mono, m.by.TTL)
	}
	return at // which may be below 0
}

// deadline is when a campaign that is ending stops waiting.
func (m *Machine) deadline() time.Duration {
	if m.stop.begun && !m.hasTerm() {
		return m.stop.by
	}
	return clock.Never
}

func (m *Machine) put(op string, rec Record) Step {
	return Step{Do: Put, Op: op, Record: rec, Previous: m.view.Pair}
}

// claim returns the record of a new term.
func (m *Machine) claim(now clock.Instant) Record {
	m.leave.reason = Resigned
	token := NextToken(max(m.issued.Token, m.view.High), now.Time())
	m.issued.Token = token
	last := m.view.Rec.LastEnding()
	if m.Mine() && m.view.Rec.Token > m.leave.endedToken {
		last = m.view.Rec.Last // a claim that was not acknowledged was no term (S5)
	}
	if token <= m.leave.endedToken { // they begin anew
		m.leave.endedToken = token - 1
	}
	return m.by.Take(m.view.Rec, token, m.nextBeat(), last, now.Time())
}

// renewal returns the record of the term, once more.
func (m *Machine) renewal() Record {
	seen, rec := m.view.Rec, m.term.rec
	rec.Payload = m.by.Payload
	beat := m.nextBeat()
	switch {
	case m.Mine() && seen.Token == rec.Token: // with what others have added to it
		rec.Waiting, rec.Ask = seen.Waiting, seen.Ask
		rec = rec.Renewed(beat)
		m.term.rec = rec
	case m.view.Pair != nil && !seen.Held():
		rec.Ask = seen.Ask // of one who found no record
	}
	rec.Beat = beat
	return rec
}

func (m *Machine) nextBeat() uint64 {
	m.writes.beat = NextBeat(max(m.writes.beat, m.view.Rec.Beat), m.cfg.Stride())
	return m.writes.beat
}

// limit is how long a call that begins now is waited for. While a term stands it leaves
// time for another try, unless the store is known to take that long.
func (m *Machine) limit(now clock.Instant) time.Duration {
	if !m.hasTerm() {
		return m.cfg.Limit
	}
	left := m.left(now)
	return min(left, max(left/2, 2*m.calls.took))
}
