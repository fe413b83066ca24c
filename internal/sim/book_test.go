package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// book is the store that all racers share, and the history of what was written into it.
// It sees each write at the instant at which it takes effect, whatever the writer gets to
// hear of it, and holds the writes against the rules.
type book struct {
	*memory.Store
	r *race

	mu sync.Mutex // a page's cut changes with this held, too
}

// page is what was written under one key.
type page struct {
	mu       sync.Mutex
	history  []line
	stands   []line        // those of the history that no failover has taken back, since the record was last tampered with
	cut      *cutPage      // what the standby has, while it is cut off
	bids     []*bid        // writes that are under way
	highest  uint64        // attempt that was made, since the record was last tampered with
	tampered time.Duration // when that was, or never
}

// line is one write; a deletion is one without a value.
type line struct {
	v     time.Duration
	index uint64
	value []byte
	rec   roundRecord
}

type cutPage struct {
	stands  []line
	highest uint64
}

// last returns the last line. The lock is held.
func (c cutPage) last() line { return lastOf(c.stands) }

func lastOf(lines []line) line {
	if len(lines) == 0 {
		return line{}
	}
	return lines[len(lines)-1]
}

// roundRecord is the part of a round's record that concerns us.
type roundRecord struct {
	Winner    string    `json:"winner"`
	Attempt   uint64    `json:"attempt"`
	TTL       int64     `json:"ttl"`
	Failed    *struct{} `json:"failed"`
	Completed *struct {
		By string `json:"by"`
	} `json:"completed"`
}

func (r roundRecord) String() string {
	return fmt.Sprintf("attempt %d of %q, TTL %v, completed by %q", r.number(), r.Winner, r.ttl(), r.completer())
}

func (r roundRecord) number() uint64     { return max(1, r.Attempt) }
func (r roundRecord) ttl() time.Duration { return time.Duration(r.TTL) * time.Millisecond }

// ends reports whether the attempt does, in time.
func (r roundRecord) ends() bool { return r.TTL > 0 && r.Completed == nil }

func (r roundRecord) completer() string {
	if r.Completed == nil {
		return ""
	}
	return r.Completed.By
}

// same reports whether two records are of one attempt.
func (r roundRecord) same(other roundRecord) bool {
	return r.Winner == other.Winner && r.number() == other.number()
}

// last returns the last line. The lock is held.
func (p *page) last() line { return lastOf(p.history) }

// current returns what the record says now.
func (p *page) current() roundRecord {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last().rec
}

func (p *page) lastTampered() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tampered
}

// of returns the job whose round is stored under a key.
func (b *book) of(key string) *job {
	name := strings.TrimPrefix(key, "race/")
	i := slices.IndexFunc(b.r.jobs, func(j *job) bool { return j.name == name })
	return b.r.jobs[i]
}

// bookDesk is where one process writes into the book.
type bookDesk struct {
	*book
	who *racer
}

// AtomicPut implements store.Store.
func (d bookDesk) AtomicPut(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ok, pair, err := d.Store.AtomicPut(ctx, key, value, previous, opts)
	if err == nil && ok {
		start, _ := ctx.Value(departed{}).(departure)
		d.wrote(d.who, d.of(key), pair, start)
		if d.of(key).page.cut != nil {
			return false, nil, errNotAcknowledged
		}
	}
	return ok, pair, err
}

// wrote holds a write that has just taken effect against the rules.
func (b *book) wrote(who *racer, j *job, pair *store.KVPair, start departure) {
	p, node := j.page, who.contender.node
	p.mu.Lock()
	defer p.mu.Unlock()
	var rec roundRecord
	if err := json.Unmarshal(pair.Value, &rec); err != nil {
		b.r.violate("record", "%s wrote what is no record: %q: %v", who.name, pair.Value, err)
		return
	}
	old, m := p.last(), who.machine
	made := line{b.r.now(), pair.LastIndex, pair.Value, rec}
	p.history, p.stands = append(p.history, made), append(p.stands, made)
	for _, a := range p.bids {
		if a.by == who && a.start == start.v && a.made == nil {
			a.made, a.refused = &made, p.cut != nil
		}
	}
	b.r.note(who.name, "job %s, wrote: attempt %d of %s, completed by %q", j.name, rec.number(), rec.Winner, rec.completer())
	begins := old.value == nil || !rec.same(old.rec)
	switch {
	case rec.Winner != node && (begins || rec.completer() == old.rec.completer()):
		b.r.violate("rounds", "%s wrote attempt %d of %s", who.name, rec.number(), rec.Winner)
	case old.rec.Completed != nil && (begins || rec.completer() != old.rec.completer()):
		b.r.violate("rounds", "%s wrote over job %s, which %s has completed", who.name, j.name, old.rec.completer())
	case rec.Completed != nil && old.rec.Completed == nil && (begins || rec.completer() != node || rec.Winner != node):
		b.r.violate("rounds", "%s completed attempt %d of %s", who.name, old.rec.number(), old.rec.Winner)
	case begins && old.value != nil && old.rec.Winner != node && !old.rec.ends():
		b.r.violate("rounds", "%s won job %s, which %s had won for ever", who.name, j.name, old.rec.Winner)
	}
	if begins {
		if waited := m.mono(start.v) - m.mono(old.v); old.value != nil && old.rec.Winner != node && waited < old.rec.ttl() && start.v > p.tampered+slowest(b.r.plan.longestTTL) { // or else the latest attempt goes on
			b.r.violate("S2", "%s superseded an attempt with a TTL of %v that was %v old by its clock", who.name, old.rec.ttl(), waited)
		}
		if seen := who.saw(j); old.value == nil && m.mono(start.v)-m.mono(seen.written) < seen.ttl {
			b.r.violate("S2", "%s won a round whose attempt had vanished, within its TTL", who.name)
		}
		if rec.number() <= p.highest && start.v > p.tampered { // before, it saw what was there then
			b.r.violate("rounds", "%s began attempt %d after attempt %d", who.name, rec.number(), p.highest)
		}
		p.highest = max(p.highest, rec.number())
		b.r.terms.Add(1)
	}
	*start.acked = func() {
		who.saws(j, observation{})
		if rec.ends() && rec.Winner == node {
			who.trust(j.key(rec.number()), start.v, who.length(rec), false)
		}
	}
}

// looks is the key of a value in the contexts of those who only look.
type looks struct{}

// racerLink is the store as one process sees it.
type racerLink struct {
	*link
	b   *book
	who *racer
}

// Get implements store.Store.
func (l racerLink) Get(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
	pair, err := l.link.Get(ctx, key, opts)
	// One that only looks remembers nothing of a round that it has not asked for.
	if err == nil && ctx.Err() == nil && (ctx.Value(looks{}) == nil || l.who.knows(l.b.of(key))) { // or else nobody waits for it
		l.b.sees(l.who, pair)
	}
	return pair, err
}

// sees takes note of what a process has read: another's attempt counts as held though it
// vanish.
func (b *book) sees(who *racer, pair *store.KVPair) {
	j := b.of(pair.Key)
	j.page.mu.Lock()
	i := slices.IndexFunc(j.page.history, func(l line) bool { return l.value != nil && l.index == pair.LastIndex })
	seen := observation{}
	if i >= 0 {
		if l := j.page.history[i]; l.rec.ends() && l.rec.Winner != who.contender.node {
			seen = observation{v: b.r.now(), written: l.v, ttl: l.rec.ttl()}
		}
	}
	j.page.mu.Unlock()
	who.saws(j, seen)
}

// operate tampers with the records as planned: it deletes one, or puts an older one back.
func (b *book) operate(c *chance) {
	for _, v := range slices.Sorted(slices.Values(b.r.plan.tampers)) {
		b.r.sleepUntil(v)
		b.tamper(c, b.r.jobs[c.n(len(b.r.jobs))])
		b.r.recheck()
	}
}

func (b *book) tamper(c *chance, j *job) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := j.page
	p.mu.Lock()
	defer p.mu.Unlock()
	older := slices.DeleteFunc(slices.Clone(p.history), func(l line) bool { return l.value == nil })
	if len(older) == 0 {
		return
	}
	l := line{}
	if c.p(0.5) {
		l = older[c.n(len(older))]
	}
	if !b.put(j, l) {
		return
	}
	b.r.note("operator", "job %s is now: %v", j.name, l.rec)
	p.tampered, p.highest, p.stands = b.r.now(), 0, nil
	if l.value != nil {
		p.stands = []line{p.last()}
	}
	if p.cut != nil {
		p.cut = &cutPage{slices.Clone(p.stands), 0}
	}
	b.r.tampers.Add(1)
}

// put makes the record be as in a line; it reports whether that is a change. The locks are
// held.
func (b *book) put(j *job, l line) bool {
	ctx, key := context.Background(), "race/"+j.name
	if l.value == nil {
		if b.Delete(ctx, key) != nil {
			return false
		}
		l.index = 0
	} else {
		if b.Put(ctx, key, l.value, nil) != nil {
			return false
		}
		pair, err := b.Store.Get(ctx, key, nil)
		if err != nil {
			return false
		}
		l.index = pair.LastIndex
	}
	l.v = b.r.now()
	j.page.history = append(j.page.history, l)
	return true
}

// replicate cuts the standby off, and promotes it, as planned.
func (b *book) replicate() {
	for _, c := range b.r.plan.cuts {
		b.r.sleepUntil(c.from)
		b.cutOff()
		b.r.sleepUntil(c.to)
		b.confirm(c.failover)
		b.r.recheck()
	}
}

func (b *book) cutOff() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.r.note("store", "the standby is cut off")
	for _, j := range b.r.jobs {
		j.page.mu.Lock()
		j.page.cut = &cutPage{slices.Clone(j.page.stands), j.page.highest}
		j.page.mu.Unlock()
	}
}

// confirm ends a cut: the standby gets all that was written, or takes over without it.
func (b *book) confirm(failover bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.r.note("store", "the standby is back, and promoted: %v", failover)
	for _, j := range b.r.jobs {
		j.page.mu.Lock()
		was := j.page.cut
		j.page.cut = nil
		if failover && j.page.last().index != was.last().index && b.put(j, was.last()) {
			b.r.note("store", "job %s is again: %v", j.name, was.last().rec)
			j.page.highest, j.page.stands = was.highest, was.stands
			if n := len(was.stands); n > 0 {
				was.stands[n-1].index = j.page.last().index
			}
		}
		j.page.mu.Unlock()
	}
}
