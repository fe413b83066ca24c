package election

import (
	"encoding/binary"
	"hash/maphash"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/indexes"
	"github.com/seed-a1d591d3/leadership/store"
)

// fingerprint is all that decides what may follow on a state, so that states fold: times count
// from now, and those that are over are one; tokens from the highest, beats from the one
// that is stored; indexes are only compared.
type fingerprint struct {
	s   *model
	b   []byte
	ids []uint64 // indexes, in the order in which they are met
}

var printSeed = maphash.MakeSeed()

// hash returns the hash of the fingerprint of a state.
func (f *fingerprint) hash(s *model) uint64 {
	f.s, f.b, f.ids = s, f.b[:0], f.ids[:0]
	f.flags(s.paused)
	f.cell(s.cell)
	l := s.left
	for _, n := range []int8{l.lost, l.crash, l.hint, l.ask, l.stop, l.ill, l.vanish, l.spoil, l.failover, l.done, l.pause, l.stale, l.unrecord} {
		f.b = append(f.b, byte(n))
	}
	if l.failover > 0 || l.hint > 0 {
		f.cell(s.before)
		f.flags(s.cell != nil && s.cell.pair.LastIndex > s.durable)
	}
	for _, w := range s.late {
		f.b = append(f.b, byte(w.by))
		f.text(w.session)
		f.rec(w.rec)
		f.pair(w.prev)
	}
	for i := range s.procs {
		f.process(i)
	}
	if s.plan.rides {
		f.rides()
	}
	return maphash.Bytes(printSeed, f.b)
}

func (f *fingerprint) num(n int64)   { f.b = binary.AppendVarint(f.b, n) }
func (f *fingerprint) text(t string) { f.b = append(append(f.b, t...), 0) }

func (f *fingerprint) flags(bs ...bool) {
	n := uint64(0)
	for _, b := range bs {
		n <<= 1
		if b {
			n |= 1
		}
	}
	f.b = binary.AppendUvarint(f.b, n)
}

// from writes when something is, at the earliest that tells.
func (f *fingerprint) from(t, earliest time.Duration) {
	if t == clock.Never {
		f.b = append(f.b, 1)
		return
	}
	f.num(int64(max(t-f.s.now, earliest)))
}

// due writes when something is to come.
func (f *fingerprint) due(t time.Duration) { f.from(t, 0) }

func (f *fingerprint) token(t uint64) {
	if t == 0 {
		f.b = append(f.b, 1)
		return
	}
	f.num(max(int64(t)-int64(f.s.highest), -4))
}

func (f *fingerprint) beat(b uint64) { f.num(int64(b) - int64(f.s.cell.record().Beat)) }

func (f *fingerprint) pair(p *store.KVPair) {
	if p == nil {
		f.b = append(f.b, 0)
		return
	}
	for i, id := range f.ids {
		if id == p.LastIndex {
			f.b = append(f.b, byte(i+1))
			return
		}
	}
	f.ids = append(f.ids, p.LastIndex)
	f.b = append(f.b, byte(len(f.ids)))
}

func (f *fingerprint) cell(c *cell) {
	f.pair(c.stored())
	if c != nil {
		f.flags(c.foreign)
		f.rec(c.rec)
	}
}

func (f *fingerprint) rec(r Record) {
	f.text(r.Instance)
	f.text(r.Session)
	f.token(r.Token)
	f.beat(r.Beat)
	if a := r.Ask; a != nil {
		f.text(string(a.Do))
		f.text(a.To)
		f.flags(a.Keep)
		f.num(a.Millis)
	}
	f.b = append(f.b, byte(len(r.Waiting)))
	for _, w := range r.Waiting {
		f.text(w.Node)
		f.num(int64(w.Priority))
	}
}

func (f *fingerprint) process(i int) {
	p := &f.s.procs[i]
	f.b = append(f.b, byte(p.life))
	f.flags(p.up, p.working, p.done, p.stop, p.ill)
	if !p.up {
		return
	}
	f.due(p.wake)
	f.token(p.lease.token)
	if p.lease.token != 0 {
		f.from(p.lease.start, -f.trust())
		f.text(p.lease.on)
		f.flags(p.lease.over)
		f.text(string(p.lease.why))
		if f.s.plan.relinquish > 0 {
			f.from(p.lease.began, -f.s.plan.relinquish)
		}
	}
	f.b = append(f.b, byte(p.phase))
	if p.phase != idle {
		f.text(p.step.Op)
		f.rec(p.step.Record)
		f.pair(p.step.Previous)
		f.flags(p.reply.failed, p.reply.refused)
		f.cell(p.reply.cell)
		f.ride(p.reply.ride)
		f.text(p.step.Seen.Session)
		f.flags(p.reply.cell != nil && p.reply.cell.pair.LastIndex == f.s.taken)
	}
	f.machine(&p.m, f.concerned(i))
}

// concerned reports whether a record of a process's is somewhere.
func (f *fingerprint) concerned(i int) bool {
	s, p := f.s, &f.s.procs[i]
	me := p.m.by.Instance
	for _, w := range s.late {
		if w.rec.Instance == me {
			return true
		}
	}
	return s.cell.record().Instance == me || p.m.view.Rec.Instance == me || p.m.view.Gone().Instance == me ||
		p.step.Record.Instance == me || p.reply.cell.record().Instance == me || p.lease.token != 0 ||
		(s.left.failover > 0 || s.left.hint > 0) && s.before.record().Instance == me
}

func (f *fingerprint) machine(m *Machine, concerned bool) {
	f.text(m.by.Instance)
	f.num(int64(m.by.Cooldown))
	f.token(max(m.issued.Token, m.view.High))
	f.flags(m.issued.Proof == indexes.Proof{}, m.issued.Proof.Verified(), m.foreign, m.view.Known,
		m.calls.hinted, m.calls.fresh, m.writes.unknown, m.term.over, m.term.working, m.leave.vacating, m.stop.begun, m.stop.unsafe)
	f.text(string(m.leave.reason))
	if m.view.Known {
		f.pair(m.view.Pair)
		f.rec(m.view.Rec)
		f.ride(m.view.Rec.Ride)
		f.from(m.view.Seen, -3*worldTTL)
		f.from(m.view.guard, -worldRetry)
		if m.view.Gone().Held() {
			f.rec(m.view.Gone())
		}
	}
	f.due(m.list.lives)
	if m.call != nil {
		f.from(m.call.start.Mono, -f.trust())
	}
	f.b = append(f.b, byte(min(m.calls.fails, 6)))
	f.due(m.calls.notBefore)
	f.due(m.calls.poll)
	f.beat(max(m.writes.beat, m.view.Rec.Beat))
	if concerned {
		f.b = append(f.b, byte(len(m.writes.sent)))
		for _, b := range m.writes.sent {
			f.beat(b)
		}
		f.beat(m.writes.acked.beat)
		f.from(m.writes.acked.start.Mono, -f.trust())
	}
	f.pair(m.writes.check)
	if t := &m.term; t.rec.Token != 0 {
		f.rec(t.rec)
		f.from(t.start.Mono, -f.trust())
	}
	f.token(m.leave.endedToken)
	f.due(m.leave.notBefore)
	f.due(m.list.at)
	f.b = append(f.b, byte(min(m.list.refused, 5)))
	f.due(m.stop.by)
}
