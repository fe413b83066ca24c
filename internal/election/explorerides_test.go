package election

import (
	"fmt"
	"slices"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// A model of riders has their sessions, too. A session is a record that its owner renews: that
// it is an election of its own, in which one candidate stands, is left out.

// sessionRecord is the record of a session.
type sessionRecord struct {
	name         string
	cell, before *cell  // what is stored, and what was before that; nil: nothing
	durable      uint64 // the index of the last write that was acknowledged
}

// keeping is the session of a process, as its owner has it.
type keeping struct {
	name  string
	born  int // how many the process has had before
	start time.Duration
	over  bool
	lost  bool // somebody has ended it
	known *store.KVPair

	phase   phase // of the renewal under way
	sent    time.Duration
	refused bool
	wrote   uint64 // the index of what it has written
}

// lateBeat is a renewal that its owner has given up.
type lateBeat struct {
	name string
	prev *store.KVPair
}

// rider reports whether the terms of a process ride.
func (s *model) rider(i int) bool { return s.plan.rides && s.plan.plain&(1<<i) == 0 }

// trust is for how long a process's term is trusted, if its session is.
func (s *model) trust(i int) time.Duration {
	if s.rider(i) {
		return 2 * worldTrust
	}
	return worldTrust
}

// alive reports whether a process can trust its session.
func (s *model) alive(i int) bool {
	p := &s.procs[i]
	return p.up && p.keeps.name != "" && !p.keeps.over && s.now-p.keeps.start < worldTrust
}

// rides returns the session that a process's next term is to ride on, if that is trusted.
func (s *model) rides(i int) string {
	if !s.alive(i) {
		return ""
	}
	return s.procs[i].keeps.name
}

// session returns the record of a session, nil for one that nobody knows any more.
func (s *model) session(name string) *sessionRecord {
	for i := range s.sessions {
		if s.sessions[i].name == name {
			return &s.sessions[i]
		}
	}
	return nil
}

// write replaces the record of a session, if it is as it was. Nil means that it is not.
func (s *model) writeSession(name string, rec Record, prev *store.KVPair) *cell {
	r := s.session(name)
	if r == nil || r.cell.stored() != prev {
		return nil
	}
	if r.cell != nil && !r.cell.rec.Held() {
		s.violate("S11: what has ended a session is overwritten")
	}
	s.index++
	c := &cell{pair: &store.KVPair{LastIndex: s.index}, rec: rec, at: s.now}
	r.before, r.cell = r.cell, c
	return c
}

// beatOf is the record of a session as its owner writes it.
func beatOf(name string) Record {
	return Record{Header: Sessions, Leader: name, Instance: name, Token: 1, Millis: worldTTL.Milliseconds()}
}

// conceive begins another session of a process.
func (s *model) conceive(i int) {
	p := &s.procs[i]
	k := keeping{born: p.keeps.born + 1, start: s.now}
	k.name = fmt.Sprintf("%s%d.%d", node(i), p.life, k.born)
	s.sessions = append(s.sessions, sessionRecord{name: k.name})
	k.known = s.writeSession(k.name, beatOf(k.name), nil).pair
	s.keptBySession(k.name, k.known.LastIndex)
	p.keeps = k
}

// keep does what is due for the session of a process, when the clock has gone on.
func (s *model) keep(i int) {
	p := &s.procs[i]
	if !s.rider(i) || !p.up || p.asleep {
		return
	}
	k := &p.keeps
	k.over = k.over || s.now-k.start >= worldTrust
	switch {
	case k.phase != idle:
	case k.over && (k.lost || s.now-k.start >= worldTTL):
		if r := s.session(k.name); r.cell != nil && r.cell.rec.Held() {
			s.writeSession(k.name, r.cell.rec.Vacated(0, Expired), k.known)
		}
		s.conceive(i)
	case k.over || s.now-k.start < worldRetry:
	case s.ridden(i): // that of one who does not lead is renewed as it should
		k.phase, k.sent = sent, s.now
	default:
		if c := s.writeSession(k.name, beatOf(k.name), k.known); c != nil {
			k.known, k.start = c.pair, s.now
			s.keptBySession(k.name, c.pair.LastIndex)
		}
	}
}

// ridden reports whether the session of a process has, or may have, a term that rides on it.
func (s *model) ridden(i int) bool {
	p := &s.procs[i]
	return s.cell.record().Session == p.keeps.name || p.lease.token != 0 || p.step.Record.Session == p.keeps.name
}

// reachBeat has a renewal of a session do its work.
func (s *model) reachBeat(i int) {
	k := &s.procs[i].keeps
	k.phase = reached
	c := s.writeSession(k.name, beatOf(k.name), k.known)
	if k.refused = c == nil; !k.refused {
		k.wrote = c.pair.LastIndex
	}
}

// keptBySession takes note that the store has acknowledged a write in the record of a session.
func (s *model) keptBySession(name string, index uint64) {
	if r := s.session(name); r != nil {
		r.durable = max(r.durable, index)
	}
}

// deliverBeat has the owner hear of its renewal, or not: then it reads what is there, which is
// no acknowledgement (S5).
func (s *model) deliverBeat(i int, heard bool) {
	p := &s.procs[i]
	k, r := &p.keeps, s.session(p.keeps.name)
	if heard && !k.refused && k.wrote != s.taken {
		s.keptBySession(k.name, k.wrote)
		if s.alive(i) {
			k.start = k.sent
		}
	}
	k.phase, k.refused, k.wrote = idle, false, 0
	k.known = r.cell.stored()
	if r.cell != nil && !r.cell.rec.Held() {
		k.over, k.lost = true, true
	}
	s.run(i)
}

// abandonBeat has a renewal under way go on by itself.
func (s *model) abandonBeat(i int) {
	if k := &s.procs[i].keeps; k.phase == sent {
		s.beats = append(slices.Clip(s.beats), lateBeat{k.name, k.known})
	}
}

// rode returns what a look finds of the session that a record names, as it is or as it was
// before. One's own is not looked at; but a term on it that is of no campaign of the process, which
// has one, was left.
func (s *model) rode(i int, rec Record, old bool) *Ride {
	switch {
	case rec.Session == "":
		return nil
	case rec.Session == s.rides(i):
		if rec.Instance != s.procs[i].m.by.Instance {
			return &Ride{Left: true}
		}
		return nil
	}
	ride := new(Ride)
	if r := s.session(rec.Session); r != nil {
		c := r.cell
		if old {
			c = r.before
		}
		ride.Pair, ride.Rec = c.stored(), c.record()
	}
	return ride
}

// sleep and wake pause a process, and end that.
func (s *model) wake(i int) {
	s.procs[i].asleep = false
	s.keep(i)
	s.run(i)
}

// rideMoves returns what may happen to the sessions of processes.
func (s *model) rideMoves(to []move) []move {
	for i := range s.procs {
		p, n := &s.procs[i], uint8(i)
		k := &p.keeps
		add := func(k kind, may bool) {
			if may {
				to = append(to, move{k, n})
			}
		}
		if !p.up {
			continue
		}
		if p.asleep {
			add(wakeUp, true)
			add(beatReach, k.phase == sent)
			continue
		}
		add(fallAsleep, s.left.pause > 0)
		add(beat, k.phase == sent)
		add(beatReach, k.phase == sent)
		add(beatGiveUp, k.phase == sent && s.left.lost > 0)
		add(beatHear, k.phase == reached)
		add(beatLose, k.phase == reached && s.left.lost > 0 && !k.refused)
		if p.phase == sent && p.step.Do == Look && s.left.stale > 0 {
			r := s.session(s.cell.record().Session)
			// Not of before it was there: a session is written before a term names it, and nothing
			// tells a rival that a record was missing, there, and missing again.
			add(reachOld, r != nil && r.name != s.rides(i) && r.before != nil && r.before != r.cell)
		}
		if r := s.session(k.name); s.left.unrecord > 0 && r != nil && r.cell != nil && r.cell.rec.Held() {
			add(unrecord, true)
		}
	}
	for i, r := range s.sessions {
		if s.left.failover > 0 && r.cell != nil && r.before != nil && r.cell.pair.LastIndex > max(r.durable, r.before.pair.LastIndex) {
			to = append(to, move{beatTakeBack, uint8(i)})
		}
	}
	for i, b := range s.beats {
		if r := s.session(b.name); r != nil && r.cell.stored() == b.prev {
			to = append(to, move{beatLand, uint8(i)})
		}
	}
	return to
}

// doRide has one of these moves happen.
func (s *model) doRide(v move) {
	i := int(v.n)
	switch v.kind {
	case beat:
		s.reachBeat(i)
		s.deliverBeat(i, true)
	case beatReach:
		s.reachBeat(i)
	case beatHear:
		s.deliverBeat(i, true)
	case beatLose:
		s.left.lost--
		s.deliverBeat(i, false)
	case beatGiveUp:
		s.left.lost--
		s.abandonBeat(i)
		s.deliverBeat(i, false)
	case beatLand:
		b := s.beats[i]
		s.beats = slices.Delete(slices.Clone(s.beats), i, i+1)
		s.writeSession(b.name, beatOf(b.name), b.prev)
	case reachOld:
		s.left.stale--
		s.reach(i)
		s.procs[i].reply.ride = s.rode(i, s.cell.record(), true)
	case unrecord:
		s.left.unrecord--
		r := s.session(s.procs[i].keeps.name)
		r.before, r.cell = r.cell, nil
	case beatTakeBack:
		s.left.failover--
		r := &s.sessions[i]
		s.taken = r.cell.pair.LastIndex
		r.cell, r.before = r.before, r.cell
	case fallAsleep:
		s.left.pause--
		s.procs[i].asleep = true
	case wakeUp:
		s.wake(i)
	}
}

// sweepRides forgets the sessions that nothing names, and the writes in them that cannot happen.
func (s *model) sweepRides() {
	s.sessions = slices.DeleteFunc(s.sessions, func(r sessionRecord) bool {
		named := func(rec Record) bool { return rec.Session == r.name }
		if named(s.cell.record()) || named(s.before.record()) {
			return false
		}
		for i := range s.procs {
			p := &s.procs[i]
			if p.keeps.name == r.name || named(p.m.view.Rec) || named(p.m.view.Gone()) || named(p.m.term.rec) ||
				named(p.step.Record) || named(p.step.Seen) || named(p.reply.cell.record()) {
				return false
			}
		}
		return !slices.ContainsFunc(s.late, func(f flight) bool { return named(f.rec) || f.session == r.name })
	})
	s.beats = slices.DeleteFunc(slices.Clone(s.beats), func(b lateBeat) bool {
		r := s.session(b.name)
		return r == nil || r.cell.stored() != b.prev && (b.prev != nil || s.left.unrecord == 0) && s.left.failover == 0
	})
}

// checkRides looks for a session that has ended, and is trusted (S11).
func (s *model) checkRides() {
	for i := range s.procs {
		if !s.alive(i) {
			continue
		}
		if r := s.session(s.procs[i].keeps.name); r.cell != nil && !r.cell.rec.Held() {
			s.violate("S11: a session that has ended is trusted")
		}
	}
}

// trust is for how long a term is trusted, at most.
func (f *fingerprint) trust() time.Duration {
	if f.s.plan.rides {
		return 2 * worldTrust
	}
	return worldTrust
}

// rides adds the sessions to a fingerprint.
func (f *fingerprint) rides() {
	for _, r := range f.s.sessions {
		f.text(r.name)
		f.sessionCell(r.cell)
		if f.s.left.stale > 0 || f.s.left.failover > 0 {
			f.sessionCell(r.before)
			f.flags(r.cell != nil && r.cell.pair.LastIndex > r.durable)
		}
	}
	for _, b := range f.s.beats {
		f.text(b.name)
		f.pair(b.prev)
	}
	for i := range f.s.procs {
		p := &f.s.procs[i]
		k := &p.keeps
		f.flags(p.asleep, k.over, k.lost, k.refused)
		f.text(k.name)
		f.from(k.start, -worldTTL)
		f.pair(k.known)
		if f.b = append(f.b, byte(k.phase)); k.phase != idle {
			f.from(k.sent, -worldTTL)
			f.flags(k.wrote != 0, k.wrote != 0 && k.wrote == f.s.taken)
		}
	}
}

func (f *fingerprint) sessionCell(c *cell) {
	f.pair(c.stored())
	f.flags(c.record().Held())
}

// ride adds what was found of a session.
func (f *fingerprint) ride(r *Ride) {
	if f.flags(r != nil); r != nil {
		f.pair(r.Pair)
		f.flags(r.Rec.Held(), r.Left)
	}
}
