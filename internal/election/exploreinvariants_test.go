package election

import (
	"time"

	"github.com/seed-a1d591d3/leadership/internal/invariants"
	"github.com/seed-a1d591d3/leadership/store"
)

// steady is the clock of all processes of a model.
type steady struct{}

func (steady) Elapsed(from, to time.Duration) time.Duration { return to - from }
func (steady) Waited(from, to time.Duration) time.Duration  { return to - from }

// watch is what a model is seen to be: its invariants are those of the proof. All models of
// an exploration share it.
type watch struct {
	invariants.State
	made, based []invariants.Write // of the attempts
}

// hold holds a state against the invariants.
func (s *model) hold() {
	if s.cell == nil || s.cell.foreign || s.plan.rides {
		return // nobody can write before that is seen; and those of one election are not those of riders
	}
	w := s.watch
	w.Now, w.Highest, w.Lost = s.now, s.highest, invariants.Loss{}
	if s.now < s.lost.Until && s.lost.Holder != s.cell.rec.Instance {
		w.Lost = s.lost
	}
	w.Writes, w.Views, w.Claimants, w.Attempts = w.Writes[:0], w.Views[:0], w.Claimants[:0], w.Attempts[:0]
	w.made, w.based = w.made[:0], w.based[:0]
	if b := s.before; b != nil && !b.foreign && s.cell.pair.LastIndex > s.durable && b.pair.LastIndex < s.cell.pair.LastIndex {
		w.Writes = append(w.Writes, b.write())
	}
	w.Writes = append(w.Writes, s.cell.write())
	for i := range s.procs {
		s.holdProcess(i)
	}
	for _, f := range s.late {
		w.attempt(s, invariants.Attempt{Kind: kinds[f.op], Owner: f.rec.Instance, Token: f.rec.Token, Start: f.start, Ended: true}, f.prev, nil)
	}
	if name, how := invariants.Broken(&w.State); name != "" {
		s.violate("invariant: " + name + ": " + how)
	}
}

func (s *model) holdProcess(i int) {
	w, p := s.watch, &s.procs[i]
	if !p.up {
		return
	}
	me, l := p.m.by.Instance, &p.lease
	term := max(p.m.leave.endedToken, l.token)
	w.Claimants = append(w.Claimants, invariants.Claimant{
		Name: me, Clock: steady{}, Length: worldTrust, Term: term, Leads: s.valid(i),
		Works: p.working && l.over && s.now-l.start < worldTrust,
	})
	if v := &p.m.view; v.Known {
		seen := invariants.Write{Holder: v.Rec.Instance, Token: v.Rec.Token}
		if c := s.stands(v.Pair); c != nil {
			seen.At = c.at
		}
		w.Views = append(w.Views, invariants.View{Who: me, Since: v.Seen, Guard: v.guard, Write: seen})
	}
	if p.phase == idle || p.step.Do != Put {
		return
	}
	rec := p.step.Record
	a := invariants.Attempt{Kind: kinds[p.step.Op], Owner: me, Token: rec.Token, Start: p.m.call.start.Mono}
	a.Ended = rec.Token < term || !s.valid(i) && !p.working
	a.Open = a.Kind <= invariants.Claim && p.reply.cell != nil && p.reply.cell.pair.LastIndex != s.taken && (rec.Token > term || s.valid(i) && rec.Token == term)
	if a.Kind == invariants.Claim {
		a.Hold = heldFor(p.m.view.Rec, i, s.plan)
	}
	w.attempt(s, a, p.step.Previous, p.reply.cell)
}

var kinds = map[string]invariants.Kind{
	"renew": invariants.Renewal, "claim": invariants.Claim, "vacate": invariants.Vacancy, "enlist": invariants.Note,
}

// attempt adds one that is under way, in place of previous, and has become made.
func (w *watch) attempt(s *model, a invariants.Attempt, previous *store.KVPair, made *cell) {
	a.Clock, a.Length = steady{}, worldTrust
	if c := s.stands(previous); c != nil {
		w.based = append(w.based, c.write())
		a.Based = &w.based[len(w.based)-1]
	}
	if made != nil {
		w.made = append(w.made, made.write())
		a.Made = &w.made[len(w.made)-1]
	}
	w.Attempts = append(w.Attempts, a)
}

// stands returns what a pair is of, where that is still known.
func (s *model) stands(p *store.KVPair) *cell {
	for _, c := range []*cell{s.cell, s.before} {
		if c != nil && c.pair == p && !c.foreign {
			return c
		}
	}
	return nil
}

func (c *cell) write() invariants.Write {
	return invariants.Write{Holder: c.rec.Instance, Token: c.rec.Token, At: c.at, TTL: worldTTL}
}

// lose takes note that the record is lost, whose holder may lead on for a while.
func (s *model) lose() {
	if rec := s.cell.record(); rec.Held() {
		s.lost = invariants.Loss{Holder: rec.Instance, Token: rec.Token, Until: s.now + worldTrust}
	}
}
