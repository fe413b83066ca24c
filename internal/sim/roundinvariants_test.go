package sim

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/invariants"
	"github.com/seed-a1d591d3/leadership/store"
)

// bid is a write of a round's record that is under way.
type bid struct {
	by          *racer
	waits       context.Context // of who waits for it
	start       time.Duration
	rec         roundRecord
	based, made *line
	refused     bool // it is not acknowledged, though it has taken effect
}

// sends takes note of what a process writes.
func (b *book) sends(by *racer) sends {
	return func(ctx, waits context.Context, key string, value []byte, previous *store.KVPair) func() {
		start, _ := ctx.Value(departed{}).(departure)
		a, p := &bid{by: by, waits: waits, start: start.v}, b.of(key).page
		if json.Unmarshal(value, &a.rec) != nil {
			return func() {} // which is told when it takes effect
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if previous != nil {
			if i := slices.IndexFunc(p.stands, func(l line) bool { return l.index == previous.LastIndex }); i >= 0 {
				based := p.stands[i]
				a.based = &based
			}
		}
		p.bids = append(p.bids, a)
		return func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.bids = slices.DeleteFunc(p.bids, func(other *bid) bool { return other == a })
		}
	}
}

// kind returns what a write does.
func (a *bid) kind() invariants.RoundKind {
	switch {
	case a.based == nil && a.rec.Completed == nil && a.rec.Failed == nil, a.based != nil && !a.rec.same(a.based.rec):
		return invariants.Begin
	case a.rec.Completed != nil:
		return invariants.Complete
	case a.rec.Failed != nil:
		return invariants.Fail
	}
	return invariants.Renew
}

// length returns for how long the writer of a record may trust in its attempt.
func (p *racer) length(rec roundRecord) time.Duration { return rec.ttl() - rec.ttl()/5 - p.node.grace }

// hold holds what there is of a job's round against the invariants of the proof, but for
// some time after somebody has tampered with the record.
func (r *race) hold(j *job, v time.Duration, trusts []invariants.Trust) {
	p := j.page
	p.mu.Lock()
	defer p.mu.Unlock()
	settled := p.tampered + slowest(r.plan.longestTTL)
	if v <= settled {
		return
	}
	s := &r.rounds
	s.Now, s.Trusts = v, trusts
	s.Writes, s.Views, s.Attempts = s.Writes[:0], s.Views[:0], s.Attempts[:0]
	for _, l := range p.stands {
		s.Writes = append(s.Writes, l.write())
	}
	s.Durable = max(0, len(s.Writes)-1)
	if p.cut != nil {
		s.Durable = max(0, len(p.cut.stands)-1)
	}
	for _, who := range r.racers() {
		if seen := who.saw(j); seen != (observation{}) {
			s.Views = append(s.Views, invariants.View{Who: who.name, Write: invariants.Write{At: seen.written}, Since: seen.v})
		}
	}
	for _, a := range p.bids {
		if a.start > settled {
			s.Attempts = append(s.Attempts, a.is())
		}
	}
	if name, how := invariants.RoundBroken(s); name != "" {
		r.violate("invariant", "job %s: %s: %s", j.name, name, how)
	}
}

// is returns an attempt as invariants have it. The lock of its page is held.
func (a *bid) is() invariants.RoundAttempt {
	who := a.by
	is := invariants.RoundAttempt{
		Kind: a.kind(), Owner: who.contender.node, Clock: clocks{who.machine, who.machine}, Number: a.rec.number(),
		Start: a.start, TTL: a.rec.ttl(), Length: who.length(a.rec),
	}
	if a.based != nil {
		based := a.based.write()
		is.Based = &based
	}
	if a.made != nil {
		made := a.made.write()
		is.Made = &made
		is.Open = is.Kind <= invariants.Renew && is.TTL > 0 && !a.refused && a.waits.Err() == nil
	}
	return is
}

// write returns a line as invariants have it.
func (l line) write() invariants.RoundWrite {
	return invariants.RoundWrite{Winner: l.rec.Winner, Number: l.rec.number(), At: l.v, TTL: l.rec.ttl(), Done: l.rec.Completed != nil}
}
