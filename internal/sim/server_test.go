package sim

import (
	"context"
	"fmt"
	"sync"
	"time"

	leadership "github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/store"
)

// serverPlan is where a server of holders runs.
type serverPlan struct {
	name    string
	options []leadership.Option
	margin  time.Duration // 0: a fifth of the TTL
	grace   time.Duration
	life    time.Duration // how long a process typically lives
	machine machinePlan
	link    linkPlan
}

// server serves holders, by one process after the other.
type server struct {
	serverPlan
	w    *world
	dice dice

	mu      sync.Mutex
	current *served // nil while none runs
	past    []*served
}

func newServer(w *world, p serverPlan, d dice) *server { return &server{serverPlan: p, w: w, dice: d} }

// live crashes one process and starts another, until the faults are over.
func (s *server) live() {
	w, c := s.w, s.dice.rolls()
	for n := 1; ; n++ {
		s.enroll(n)
		death := w.now() + c.spread(s.life/4, s.life*2)
		if death >= w.faultsEnd {
			return
		}
		w.sleepUntil(death)
		s.mu.Lock()
		p := s.current
		s.current = nil
		s.mu.Unlock()
		w.note(p.who.name, "crashes")
		p.who.link.crash()
		close(p.gone)
		time.Sleep(w.untilHealed(c, death, c.spread(time.Microsecond, w.plan.ttl)))
	}
}

// enroll starts a process, which has seen nothing.
func (s *server) enroll(n int) {
	w, name := s.w, fmt.Sprintf("%s-%d", s.name, n)
	d := s.dice.child(name)
	p := &served{server: s, gone: make(chan struct{})}
	p.who = &contender{w: w, name: name, serves: p, machine: newMachine(w, name, s.machine, d.child("machine"))}
	p.who.link = newLink(w, name, p.who.machine, desk{w.ledger, p.who}, s.link, d.child("link"), func() int32 { return 1 })
	p.who.link.sends = w.ledger.sends(p.who)
	opts := append([]leadership.Option{clock.Option(p.who.machine).(leadership.Option)}, s.options...)
	p.claims = leadership.NewClaims(counter{p.who.link, p}, key, opts...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current, s.past = p, append(s.past, p)
}

// process returns that which runs now, or nil.
func (s *server) process() *served {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// close frees all that is still stuck.
func (s *server) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.past {
		p.who.link.faults.Close()
	}
}

// served is one process of a server.
type served struct {
	*server
	who    *contender
	claims *leadership.Claims
	gone   chan struct{} // closed when it crashes

	mu      sync.Mutex
	first   firstSight
	put     record // that took effect last
	index   uint64
	start   departure     // of that
	replied time.Duration // when the store last answered
}

// firstSight is when a record was first seen as it is.
type firstSight struct {
	index uint64
	v     time.Duration
}

// counter is the store as the claims of one process see it.
type counter struct {
	*link
	p *served
}

// Get implements store.Store.
func (c counter) Get(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
	pair, err := c.link.Get(ctx, key, opts)
	if key == c.w.ledger.key {
		c.looked(ctx, pair, err)
	}
	return pair, err
}

// GetMany implements store.ManyGetter.
func (c counter) GetMany(ctx context.Context, keys []string) ([]*store.KVPair, error) {
	pairs, err := c.link.GetMany(ctx, keys)
	pair, of := (*store.KVPair)(nil), err
	if err == nil {
		if pair = pairs[0]; pair == nil {
			of = store.ErrKeyNotFound
		}
	}
	c.looked(ctx, pair, of)
	return pairs, err
}

// looked takes note of what a read of the record has found.
func (c counter) looked(ctx context.Context, pair *store.KVPair, err error) {
	if ctx.Err() != nil {
		return // nobody waits for it
	}
	if err == nil {
		c.p.who.sees(ctx, pair, 0)
	}
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.p.replied = c.w.now()
	switch {
	case err == nil && c.p.first.index != pair.LastIndex:
		c.p.first = firstSight{pair.LastIndex, c.w.now()}
	case expected(err):
		c.p.first = firstSight{}
	}
}

// AtomicPut implements store.Store.
func (c counter) AtomicPut(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
	ok, pair, err := c.link.AtomicPut(ctx, key, value, previous, opts)
	if ctx.Err() != nil {
		return ok, pair, err
	}
	if e, _, known := c.w.ledger.find(pair); err == nil && ok && known && !e.rec.held() {
		c.p.who.sees(ctx, pair, 0) // a term counts when its holder is told of it
	}
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.p.replied = c.w.now()
	return ok, pair, err
}

// safety is how much of a TTL may not be trusted.
func (s *server) safety(ttl time.Duration) time.Duration {
	if s.margin != 0 {
		return s.margin + s.grace
	}
	return ttl/5 + s.grace
}

// wrote takes note of a write that took effect.
func (p *served) wrote(rec record, index uint64, start departure) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.put, p.index, p.start = rec, index, start
}

// renewed holds the renewal of a record against what was known of it when the
// claim came: a term that has run out is not renewed.
func (p *served) renewed(old entry, start departure) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, m := p.w.ledger, p.who.machine
	if p.first.index != old.index || old.rec.Ask.Do == leadership.Transfer || p.w.now() < l.tampered+2*slowest(p.w.plan.longestTTL) {
		return // a seat that vanished or is to be handed over may be taken later
	}
	if stood := m.mono(start.asked) - m.mono(p.first.v); stood >= old.rec.ttl() {
		p.w.violate("S7", "%s renewed term %d whose record it had seen for %v, with a TTL of %v", p.who.name, old.rec.Token, stood, old.rec.ttl())
	}
}

// claim asks the claims, and holds the answer against the rules.
func (p *served) claim(ctx context.Context, by leadership.Claim) (leadership.Claimed, error) {
	got, err := p.claims.Claim(context.WithValue(ctx, asked{}, p.w.now()), by)
	if err == nil && got.Won {
		p.tells(got)
	}
	return got, err
}

// tells takes note that a holder is told of its term.
func (p *served) tells(got leadership.Claimed) {
	l, m := p.w.ledger, p.who.machine
	l.mu.Lock()
	l.told[got.Term.Token] = true
	l.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.put.Token != got.Term.Token {
		return
	}
	ttl := p.put.ttl()
	if most := ttl - p.safety(ttl) - (m.mono(p.replied) - m.mono(p.start.v)); got.Trust > most {
		p.w.violate("S1", "%s tells a holder to trust term %d for %v, and its last attempt allows %v", p.who.name, got.Term.Token, got.Trust, most)
	}
	p.first = firstSight{p.index, p.w.now()}
	p.who.mu.Lock()
	defer p.who.mu.Unlock()
	p.who.seen = observation{p.w.now(), p.start.v, ttl}
}
