package sim

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	leadership "github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// ledger is the store that all share, and the history of what was written into
// it. It sees each write at the instant at which it takes effect, whatever the
// writer gets to hear of it, and holds the writes against the rules.
type ledger struct {
	*memory.Store
	w   *world
	key string

	renamed sync.Map // the index of a record that a failover brought back, by key

	mu       sync.Mutex
	attempts []*attempt               // under way
	cut      *cut                     // while nothing is acknowledged
	history  []entry                  // of the key; a deletion is an entry without a value
	others   map[string][]entry       // of the other keys
	ended    map[string]time.Duration // when a session was, for good, by name
	claimed  map[string]*contender    // the holders, by the instances that they have made
	writers  map[string]*contender    // those that have claimed a seat, by instance
	owners   map[uint64]owner         // by token
	undone   map[uint64]owner         // owners of claims that a failover has taken back
	told     map[uint64]bool          // the tokens that servers have told a holder
	highest  uint64                   // token ever issued, since the walls last disagreed
	tampered time.Duration            // when somebody last deleted or replaced the record by hand
}

// owner is whose a token is, and since when.
type owner struct {
	who *contender
	v   time.Duration
}

// entry is one write.
type entry struct {
	v     time.Duration
	index uint64
	value []byte
	rec   record
	by    *contender // who wrote it; nil for an operator
}

func newLedger(w *world, key string) *ledger {
	return &ledger{
		Store: memory.New(), w: w, key: key,
		claimed: map[string]*contender{}, writers: map[string]*contender{}, owners: map[uint64]owner{}, undone: map[uint64]owner{}, told: map[uint64]bool{},
		others: map[string][]entry{}, ended: map[string]time.Duration{},
		tampered: -time.Hour,
	}
}

// desk is where one contender writes into the ledger.
type desk struct {
	*ledger
	who *contender
}

// departure says when a call was made. It travels in the call's context.
type departure struct {
	v time.Duration
	// sure says that the caller was not held between reading the clock and
	// making the call.
	sure bool
	// asked is when a server was asked for it.
	asked time.Duration
	// acked is to be called when the caller is told that the write has happened.
	acked *func()
}

// The keys of a context's values.
type (
	departed struct{}
	asked    struct{}
)

// enter takes note of an instance that a holder has made.
func (l *ledger) enter(instance string, who *contender) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.claimed[instance] = who
}

// AtomicPut implements store.Store.
func (d desk) AtomicPut(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ok, pair, err := d.Store.AtomicPut(ctx, key, value, d.stored(previous), opts)
	if err == nil && ok {
		start, _ := ctx.Value(departed{}).(departure)
		if key == d.key {
			d.wrote(d.who, pair, start)
			d.applied(ctx, d.last())
		} else {
			d.wroteOther(d.who, pair, start)
		}
		if d.refuses() {
			return false, nil, errNotAcknowledged
		}
	}
	return ok, pair, err
}

// office is where an operator writes into the ledger.
type office struct{ *ledger }

// AtomicPut implements store.Store.
func (o office) AtomicPut(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	ok, pair, err := o.Store.AtomicPut(ctx, key, value, o.stored(previous), opts)
	if err == nil && ok {
		var rec record
		if err := json.Unmarshal(pair.Value, &rec); err != nil {
			o.w.violate("record", "the operator wrote what is no record: %q: %v", pair.Value, err)
		}
		o.history = append(o.history, entry{o.w.now(), pair.LastIndex, pair.Value, rec, nil})
		o.w.note("operator", "wrote: %v, asking for %q", rec, rec.Ask.Do)
		if o.refuses() {
			return false, nil, errNotAcknowledged
		}
	}
	return ok, pair, err
}

// wrote holds a write that has just taken effect against the rules. The call
// was made at start, by a candidate or by a server for a holder.
func (l *ledger) wrote(by *contender, pair *store.KVPair, start departure) {
	var (
		now  = l.w.now()
		old  = l.last()
		rec  record
		name = by.name
		who  = by
	)
	if err := json.Unmarshal(pair.Value, &rec); err != nil {
		l.w.violate("record", "%s wrote what is no record: %q: %v", name, pair.Value, err)
		return
	}
	l.history = append(l.history, entry{now, pair.LastIndex, pair.Value, rec, by})
	l.w.note(name, "wrote: %v, index %d", rec, pair.LastIndex)

	if rec.Token < old.rec.Token {
		l.w.violate("tokens", "%s wrote token %d over token %d", name, rec.Token, old.rec.Token)
	}
	if old.value != nil && rec.annotates(old.rec) {
		who.wait(rec, l.writers[rec.Instance])
		return
	}
	margin := who.margin
	if by.serves != nil {
		if who = l.claimed[cmp.Or(rec.Instance, old.rec.Instance)]; who == nil {
			l.w.violate("record", "%s wrote %v, for nobody", name, rec)
			return
		}
		margin = by.serves.safety(rec.ttl())
	}
	if !rec.held() {
		l.emptied(who, old.rec)
		return
	}

	l.writers[rec.Instance] = who
	if by.serves == nil {
		who.rides(rec.Token, rec.Session)
	}
	h := l.owners[rec.Token]
	if h.who == nil && l.undone[rec.Token].who == who {
		h = l.undone[rec.Token] // it was put back by hand
		l.owners[rec.Token] = h
	}
	switch {
	case h.who == who: // a renewal, or the record of a term is put back
		if old.rec.Token == rec.Token && old.rec.held() && old.rec.unwanted() {
			l.w.violate("requests", "%s renewed term %d although it was asked to %s", name, rec.Token, old.rec.Ask.Do)
		}
		if by.serves != nil && old.rec.Token == rec.Token {
			by.serves.renewed(old, start)
		}
	case h.who != nil && (l.w.plan.walls || h.v > l.tampered):
		l.w.violate("tokens", "%s wrote token %d, which is %s's", name, rec.Token, h.who.name)
	case h.who != nil && slices.ContainsFunc(l.history[:len(l.history)-1], func(e entry) bool {
		return e.rec.Token == rec.Token && e.rec.Instance == rec.Instance
	}): // both have that token, and the record of this one is put back
	default:
		l.begun(who, by, rec, old, start)
	}
	*start.acked = func() {
		who.trust(rec.Token, start.v, rec.trusted(margin), start.sure && by == who)
	}
	if by.serves != nil {
		by.serves.wrote(rec, pair.LastIndex, start)
	}
}

// begun holds a new term against the rules. Time is that of its writer.
func (l *ledger) begun(who, by *contender, rec record, old entry, start departure) {
	if rec.Token <= l.highest && start.v > l.tampered { // before, it saw what was there then
		l.w.violate("tokens", "%s claimed token %d after token %d", who.name, rec.Token, l.highest)
	}
	l.owners[rec.Token] = owner{who, l.w.now()}
	l.highest = max(l.highest, rec.Token)
	l.w.terms.Add(1)
	m := by.machine
	if who.ailing(start.v) {
		l.w.violate("health", "%s claimed the seat although its last check had failed", who.name)
	}
	if old.rec.Ask.Do == leadership.Pause {
		l.w.violate("requests", "%s claimed the seat during a pause", who.name)
	}
	// One that nobody else can take yet: a candidate's own, or one that a server
	// has written, and told nobody of.
	own := old.rec.held() && l.writers[old.rec.Instance] == who && by == who && (old.rec.Session == "" || old.rec.Session == rec.Session)
	if by.serves != nil && old.rec.held() {
		own = l.untold(by, old)
	}
	since := old.v
	if ended, ok := l.ended[old.rec.Session]; ok {
		since = max(since, ended)
	}
	if waited, hold := m.mono(start.v)-m.mono(since), old.rec.heldBack(who); old.value != nil && !own && waited < hold {
		l.w.violate("priority", "%s claimed a seat after %v that it was to leave to others for %v", who.name, waited, hold)
	}
	if old.value == nil {
		// What it saw before it vanished counts as held.
		if seen, ok := by.sight(); ok && m.mono(start.v)-m.mono(seen.written) < seen.ttl {
			l.w.violate("S2", "%s replaced a record that had vanished, within its TTL", who.name)
		}
	}
	if old.rec.held() && old.rec.Session != "" {
		l.riding(by, rec, old, start)
		return
	}
	if !old.rec.held() || own {
		return
	}
	if waited := m.mono(start.v) - m.mono(old.v); waited < old.rec.ttl() {
		l.w.violate("S2", "%s replaced a record with a TTL of %v that was %v old by its clock", who.name, old.rec.ttl(), waited)
	}
}

// untold reports whether a record is one that this server has written, though others put
// it back or added to it, and whose token none has told.
func (l *ledger) untold(by *contender, old entry) bool {
	return !l.told[old.rec.Token] && slices.ContainsFunc(l.history, func(e entry) bool { return e.by == by && e.rec.annotates(old.rec) })
}

// emptied holds the end of a term against the rules.
func (l *ledger) emptied(who *contender, old record) {
	if !old.held() {
		l.w.violate("record", "%s vacated a vacant seat", who.name)
		return
	}
	if holder := l.writers[old.Instance]; holder != who {
		l.w.violate("S2", "%s vacated a seat that it does not hold", who.name)
	}
	if work := who.working(); work != nil && work.term.Token == old.Token {
		l.w.violate("S8", "%s vacated the seat of term %d whose work has not returned", who.name, old.Token)
	}
	if p, ok := who.claimant.(*process); ok && !p.gaveUp(old.Instance) {
		l.w.violate("S8", "the seat of term %d was vacated, and %s has not resigned it", old.Token, who.name)
	}
}

// find returns the entry that was written under the index of a pair, and whose
// record it is.
func (l *ledger) find(pair *store.KVPair) (e entry, who *contender, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range slices.Backward(l.history) {
		if pair != nil && e.value != nil && e.index == pair.LastIndex {
			return e, l.writers[e.rec.Instance], true
		}
	}
	return entry{}, nil, false
}

// last returns the last entry. The lock is held.
func (l *ledger) last() entry {
	return latest(l.history)
}

func latest(history []entry) entry {
	if len(history) == 0 {
		return entry{}
	}
	return history[len(history)-1]
}

// seat returns what the record says now.
func (l *ledger) seat() record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last().rec
}

// holder returns who claimed a token, and whether the token is to be higher than those before it:
// not if the record was tampered with since, for then its term may begin after a later one has.
func (l *ledger) holder(token uint64) (who *contender, counts bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.owners[token]
	return h.who, h.v > l.tampered
}

// vacated reports whether a term was given up.
func (l *ledger) vacated(token uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.history, func(e entry) bool { return e.value != nil && !e.rec.held() && e.rec.Token == token })
}

// tamper deletes the record, or puts an older one back, as an operator or a
// restored backup does.
func (l *ledger) tamper(c *chance) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, ctx := l.w.now(), context.Background()
	if len(l.history) == 0 {
		return
	}
	older := slices.DeleteFunc(slices.Clone(l.history), func(e entry) bool { return e.value == nil })
	if c.p(0.5) {
		if l.Delete(ctx, l.key) != nil {
			return
		}
		l.history = append(l.history, entry{v: now})
		l.w.note("operator", "deleted the record")
	} else {
		e := older[c.n(len(older))]
		if c.p(0.5) { // a recent one
			e = older[max(0, len(older)-1-c.n(5))]
		}
		if err := l.Put(ctx, l.key, e.value, nil); err != nil {
			return
		}
		pair, _ := l.Get(ctx, l.key, nil)
		l.history = append(l.history, entry{now, pair.LastIndex, e.value, e.rec, nil})
		l.w.note("operator", "put back: %v", e.rec)
	}
	l.tampered = now
	if !l.w.plan.walls {
		l.highest = 0
	}
	if l.cut != nil {
		l.cut.highest = l.highest
	}
	l.w.tampers.Add(1)
}

func (l *ledger) lastTampered() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tampered
}

// excused reports whether two leaders at once are to be expected at v, because the
// record was tampered with.
func (l *ledger) excused(v time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return v <= l.tampered+slowest(l.w.plan.outlives())
}
