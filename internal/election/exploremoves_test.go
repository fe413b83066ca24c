package election

import (
	"slices"

	"github.com/seed-a1d591d3/leadership/store"
)

// kind is a kind of move.
type kind uint8

const (
	tick     kind = iota // the clocks go on by a quarter of the TTL
	finish               // a call reaches the store, and its reply comes
	reach                // a call reaches the store, and its reply is on its way
	deliver              // which comes
	lose                 // a reply is lost
	giveUp               // a call fails before it has reached the store: it may yet do so
	land                 // a write that was given up happens
	crash                // a process is gone
	restart              // it is back, and remembers nothing
	ask                  // an operator asks for something
	resume               // an operator ends a pause
	hintNow              // a watch shows what is stored
	hintOld              // a watch shows what was stored before
	stop                 // a candidate is stopped
	fall                 // a candidate is ill
	rally                // it is well again
	work                 // work returns
	vanish               // the record is deleted
	failover             // the last write is taken back
	spoil                // the record is overwritten by something else
	wipe                 // which is deleted

	// Of riders.
	beat         // the owner of a session renews it
	beatReach    // the renewal reaches the store, and its reply is on its way
	beatHear     // which comes
	beatLose     // which is lost
	beatGiveUp   // the renewal fails before it has reached the store
	beatLand     // and does so now
	beatTakeBack // a failover takes back the last write in the record of a session
	reachOld     // a look finds the session as it was before
	unrecord     // the record of a session is deleted
	fallAsleep   // a process is paused
	wakeUp       // and goes on
)

// move is something that happens, to a process or a write, or by an operator.
type move struct {
	kind kind
	n    uint8
}

// moves returns all that may happen next.
func (s *model) moves(to []move) []move {
	to = append(to, move{kind: tick})
	for i := range s.procs {
		p, n := &s.procs[i], uint8(i)
		add := func(k kind, may bool) {
			if may {
				to = append(to, move{k, n})
			}
		}
		if !p.up {
			add(restart, true)
			continue
		}
		if add(reach, p.phase == sent); p.asleep {
			continue
		}
		add(finish, p.phase == sent)
		add(giveUp, p.phase == sent && s.left.lost > 0)
		add(deliver, p.phase == reached)
		add(lose, p.phase == reached && s.left.lost > 0 && !p.reply.refused)
		add(crash, s.left.crash > 0)
		add(hintNow, p.phase == idle && s.left.hint > 0)
		add(hintOld, p.phase == idle && s.left.hint > 0 && s.before != s.cell)
		add(stop, s.left.stop > 0 && !p.stop)
		add(fall, s.left.ill > 0 && !p.ill)
		add(rally, p.ill)
		add(work, p.working && (p.lease.over || s.left.done > 0))
	}
	for i := range s.late {
		to = append(to, move{land, uint8(i)})
	}
	if s.plan.rides {
		to = s.rideMoves(to)
	}
	switch {
	case s.cell == nil:
		return to
	case s.cell.foreign:
		return append(to, move{kind: wipe})
	}
	if s.left.ask > 0 {
		for i, r := range s.plan.asks {
			if s.cell.rec.Held() || r.Do != Resign {
				to = append(to, move{ask, uint8(i)})
			}
		}
	}
	if s.paused {
		to = append(to, move{kind: resume})
	}
	if s.left.vanish > 0 && s.seenByAll() {
		to = append(to, move{kind: vanish})
	}
	if s.left.spoil > 0 && s.seenByAll() {
		to = append(to, move{kind: spoil})
	}
	if s.left.failover > 0 && s.cell.pair.LastIndex > s.durable {
		to = append(to, move{kind: failover})
	}
	return to
}

// seenByAll reports whether all have seen the term whose record is stored: nothing
// protects those who have not from its loss (S2).
func (s *model) seenByAll() bool {
	if !s.cell.rec.Held() {
		return false
	}
	for i := range s.procs {
		p := &s.procs[i]
		if rec := p.m.view.Rec; !p.up || rec.Instance != s.cell.rec.Instance || rec.Token != s.cell.rec.Token {
			return false
		}
	}
	return true
}

// do has a move happen.
func (s *model) do(v move) {
	i := int(v.n)
	s.record("%s", s.say(v))
	switch v.kind {
	case tick:
		s.tick()
	case finish:
		s.reach(i)
		s.deliver(i)
	case reach:
		s.reach(i)
	case deliver:
		s.deliver(i)
	case lose:
		s.left.lost--
		s.answer(i, reply{failed: true})
	case giveUp:
		s.left.lost--
		s.abandon(i)
		s.answer(i, reply{failed: true})
	case land:
		f := s.late[i]
		s.late = slices.Delete(slices.Clone(s.late), i, i+1)
		if f.session != "" {
			s.writeSession(f.session, f.rec, f.prev)
		} else {
			s.swap(f.rec, f.value, f.prev)
		}
	case crash:
		s.left.crash--
		s.down(i)
	case restart:
		s.start(i)
	case ask:
		s.left.ask--
		s.paused = s.plan.asks[i].Do == Pause
		s.asked(&s.plan.asks[i])
	case resume:
		s.paused = false
		s.asked(nil)
	case hintNow, hintOld:
		s.left.hint--
		c := s.cell
		if v.kind == hintOld {
			c = s.before
		}
		s.procs[i].m.Hint(c.stored(), s.now, c.parse)
		s.run(i)
	case stop:
		s.left.stop--
		s.procs[i].stop = true
		s.procs[i].end(Resigned)
		s.run(i)
	case fall, rally:
		s.procs[i].ill = v.kind == fall
		if v.kind == fall {
			s.left.ill--
		}
		s.run(i)
	case work:
		p := &s.procs[i]
		if !p.lease.over {
			s.left.done--
		}
		p.done = true
		s.run(i)
	case vanish:
		s.left.vanish--
		s.lose()
		s.before, s.cell = s.cell, nil
	case spoil:
		s.left.spoil--
		s.lose()
		s.index++
		s.before, s.cell = s.cell, &cell{pair: &store.KVPair{Value: []byte("garbage"), LastIndex: s.index}, foreign: true}
	case wipe:
		s.before, s.cell = s.cell, nil
	case failover:
		s.left.failover--
		s.taken = s.cell.pair.LastIndex
		s.cell, s.before = s.before, s.cell
	default:
		s.doRide(v)
	}
	if v.steps() {
		s.record("step %s", node(i))
	}
	s.sweep()
	if s.plan.rides {
		s.sweepRides()
		s.checkRides()
	}
	s.check()
}

// tick has all clocks go on, and those wake who are due, or whose lease has run out.
func (s *model) tick() {
	s.now += quarter
	for i := range s.procs {
		s.keep(i)
	}
	for i := range s.procs {
		p := &s.procs[i]
		ran := p.lease.token != 0 && !p.lease.over && !s.valid(i)
		if p.up && !p.asleep && (ran || s.now >= p.wake) {
			s.run(i)
		}
	}
}

// swap compares and swaps.
func (s *model) swap(rec Record, value []byte, prev *store.KVPair) *cell {
	if s.cell.stored() != prev {
		return nil
	}
	if s.cell != nil && s.cell.foreign {
		s.violate("S12: what is no record is overwritten")
	}
	if s.paused && rec.Held() && rec.Token != s.cell.rec.Token {
		s.violate("requests: the seat is taken during a pause")
	}
	s.index++
	s.before, s.cell = s.cell, &cell{pair: &store.KVPair{Value: value, LastIndex: s.index}, rec: rec, at: s.now}
	return s.cell
}

// reach has a call do its work.
func (s *model) reach(i int) {
	p := &s.procs[i]
	p.phase = reached
	if p.step.Do == Look {
		p.reply = reply{cell: s.cell, ride: s.rode(i, s.cell.record(), false)}
		return
	}
	if p.step.Do == End {
		c := s.writeSession(p.step.Seen.Session, p.step.Record, p.step.Previous)
		p.reply = reply{cell: c, failed: c == nil, refused: c == nil}
		return
	}
	c := s.swap(p.step.Record, p.value, p.step.Previous)
	p.reply = reply{cell: c, failed: c == nil, refused: c == nil}
}

// deliver has a reply come.
func (s *model) deliver(i int) {
	p := &s.procs[i]
	r := p.reply
	switch {
	case p.step.Do == Look || r.failed:
	case r.cell.pair.LastIndex == s.taken:
		r = reply{failed: true}
	case p.step.Do == End:
		s.keptBySession(p.step.Seen.Session, r.cell.pair.LastIndex)
	default:
		s.durable = max(s.durable, r.cell.pair.LastIndex)
	}
	s.answer(i, r)
}

// abandon has a write under way go on by itself.
func (s *model) abandon(i int) {
	p := &s.procs[i]
	if p.phase == sent && p.step.Do == Put {
		s.late = append(s.late, flight{by: i, op: p.step.Op, rec: p.step.Record, start: p.m.call.start.Mono, value: p.value, prev: p.step.Previous})
	}
	if p.phase == sent && p.step.Do == End {
		s.late = append(s.late, flight{by: i, session: p.step.Seen.Session, rec: p.step.Record, prev: p.step.Previous})
	}
}

// down takes a process away, but not what it has sent.
func (s *model) down(i int) {
	s.abandon(i)
	s.abandonBeat(i)
	s.procs[i] = process{life: s.procs[i].life}
}

// asked has an operator write a request, or nil, into the record.
func (s *model) asked(r *Request) {
	rec := s.cell.rec
	rec.Ask = r
	s.swap(rec, encode(rec), s.cell.pair)
	s.durable = s.index
}

// sweep forgets the writes that cannot happen any more.
func (s *model) sweep() {
	for i := len(s.late) - 1; i >= 0; i-- {
		prev := s.late[i].prev
		if name := s.late[i].session; name != "" {
			if r := s.session(name); r == nil || r.cell.stored() != prev && (prev != nil || s.left.unrecord == 0) && s.left.failover == 0 {
				s.late = slices.Delete(slices.Clone(s.late), i, i+1)
			}
			continue
		}
		again := prev == nil && (s.left.vanish > 0 || s.left.spoil > 0 || s.cell != nil && s.cell.foreign) || s.left.failover > 0 && prev == s.before.stored()
		if prev != s.cell.stored() && !again {
			s.late = slices.Delete(slices.Clone(s.late), i, i+1)
		}
	}
}

// check looks for a broken rule.
func (s *model) check() {
	leaders := 0
	for i := range s.procs {
		p := &s.procs[i]
		if !s.valid(i) {
			continue
		}
		leaders++
		rec, due := p.m.view.Rec, s.plan.relinquish
		switch a := rec.Ask; {
		case due > 0 && s.now-p.lease.began >= due:
			s.violate("relinquish: " + node(i) + " leads for longer than it may")
		case p.ill:
			s.violate("health: " + node(i) + " leads although it is ill")
		case a == nil || !p.m.Mine() || rec.Token != p.lease.token:
		case a.Do == Resign, a.Do == Pause && !a.Keep, a.Do == Transfer && a.To != node(i):
			s.violate("requests: " + node(i) + " leads on although it was asked to go")
		}
	}
	if leaders > 1 {
		s.violate("two lead at once")
	}
}
