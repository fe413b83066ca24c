package sim

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// cutPlan is a time in which the store's standby is cut off: what is written is
// seen, and not acknowledged.
type cutPlan struct {
	span
	failover bool // the standby, which has none of it, is promoted
	lags     bool // it is acknowledged all the same
}

// errNotAcknowledged is what a write that has happened returns meanwhile.
var errNotAcknowledged = errors.New("the standby has not confirmed the commit")

// cut is what the standby has.
type cut struct {
	from    time.Duration
	last    entry
	others  map[string]int // how many entries of the other keys
	highest uint64
	lags    bool
}

// renamed says that the pair that the store has of a key under one index is shown under
// another.
type renamed struct{ stored, shown uint64 }

// refuses reports whether a write is not acknowledged now. The lock is held.
func (l *ledger) refuses() bool { return l.cut != nil && !l.cut.lags }

// replicate cuts the standby off, and promotes it, as planned.
func (w *world) replicate() {
	for _, c := range w.plan.cuts {
		w.sleepUntil(c.from)
		w.ledger.cutOff(c.lags)
		w.sleepUntil(c.to)
		w.ledger.confirm(c.failover)
		w.recheck()
	}
}

func (l *ledger) cutOff(lags bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.w.note("store", "the standby is cut off, and writes are acknowledged: %v", lags)
	l.cut = &cut{l.w.now(), l.last(), map[string]int{}, l.highest, lags}
	for key, history := range l.others {
		l.cut.others[key] = len(history)
	}
}

// confirm ends a cut: the standby gets all that was written, or takes over
// without it. Then everything is as it was before, the index too.
func (l *ledger) confirm(failover bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.cut
	l.cut = nil
	if failover {
		for _, key := range slices.Sorted(maps.Keys(l.others)) {
			if before := latest(l.others[key][:c.others[key]]); l.restored(key, before, latest(l.others[key])) {
				l.others[key] = append(l.others[key], before)
				l.w.note("store", "the standby is promoted, with %s: %v", key, before.rec)
			}
		}
		if c.lags {
			l.tampered = l.w.now()
		}
	}
	before := c.last
	if !failover || !l.restored(l.key, before, l.last()) {
		l.w.note("store", "the standby is back")
		return
	}
	l.history = append(l.history, before)
	l.w.watcher.forget()
	if c.lags && l.w.plan.walls {
		c.highest = l.highest
	}
	l.highest = c.highest
	for token, o := range l.owners {
		if o.v >= c.from && !c.lags { // or else it may have been acknowledged
			l.undone[token] = o
			delete(l.owners, token)
		}
	}
	l.w.note("store", "the standby is promoted, with: %v", before.rec)
}

// restored makes a record be as it was before, its index too. It reports whether that is a
// change. The lock is held.
func (l *ledger) restored(key string, before, now entry) bool {
	if now.index == before.index && (now.value == nil) == (before.value == nil) {
		return false
	}
	ctx := context.Background()
	if before.value == nil {
		return l.Delete(ctx, key) == nil
	}
	if l.Put(ctx, key, before.value, nil) != nil {
		return false
	}
	pair, err := l.Store.Get(ctx, key, nil)
	if err != nil {
		return false
	}
	l.renamed.Store(key, renamed{pair.LastIndex, before.index})
	return true
}

// Get implements store.Store.
func (l *ledger) Get(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
	pair, err := l.Store.Get(ctx, key, opts)
	return l.shown(pair), err
}

// GetMany implements store.ManyGetter.
func (l *ledger) GetMany(ctx context.Context, keys []string) ([]*store.KVPair, error) {
	pairs, err := l.Store.GetMany(ctx, keys)
	for i := range pairs {
		pairs[i] = l.shown(pairs[i])
	}
	return pairs, err
}

// Watch implements store.Store.
func (l *ledger) Watch(ctx context.Context, key string, opts *store.ReadOptions) (<-chan *store.KVPair, error) {
	in, err := l.Store.Watch(ctx, key, opts)
	if err != nil {
		return nil, err
	}
	out := make(chan *store.KVPair)
	go func() {
		defer close(out)
		for pair := range in {
			l.mu.Lock() // see confirm
			pair = l.shown(pair)
			l.mu.Unlock()
			select {
			case out <- pair:
			case <-ctx.Done():
			}
		}
	}()
	return out, nil
}

// shown returns a pair of the store as others see it.
func (l *ledger) shown(pair *store.KVPair) *store.KVPair {
	if pair == nil {
		return nil
	}
	if r, ok := l.renamed.Load(pair.Key); ok && pair.LastIndex == r.(renamed).stored {
		other := *pair
		other.LastIndex = r.(renamed).shown
		return &other
	}
	return pair
}

// stored returns a pair as the store has it.
func (l *ledger) stored(pair *store.KVPair) *store.KVPair {
	if pair == nil {
		return nil
	}
	if r, ok := l.renamed.Load(pair.Key); ok && pair.LastIndex == r.(renamed).shown {
		other := *pair
		other.LastIndex = r.(renamed).stored
		return &other
	}
	return pair
}
