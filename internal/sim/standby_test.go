package sim

import (
	"context"
	"errors"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// cutPlan is a time in which the store's standby is cut off: what is written is
// seen, and not acknowledged.
type cutPlan struct {
	span
	failover bool // the standby, which has none of it, is promoted
}

// errNotAcknowledged is what a write that has happened returns meanwhile.
var errNotAcknowledged = errors.New("the standby has not confirmed the commit")

// cut is what the standby has.
type cut struct {
	from    time.Duration
	last    entry
	highest uint64
}

// renamed says that the pair that the store has under one index is shown under
// another.
type renamed struct{ stored, shown uint64 }

// replicate cuts the standby off, and promotes it, as planned.
func (w *world) replicate() {
	for _, c := range w.plan.cuts {
		w.sleepUntil(c.from)
		w.ledger.cutOff()
		w.sleepUntil(c.to)
		w.ledger.confirm(c.failover)
		w.recheck()
	}
}

func (l *ledger) cutOff() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.w.note("store", "the standby is cut off")
	l.cut = &cut{l.w.now(), l.last(), l.highest}
}

// confirm ends a cut: the standby gets all that was written, or takes over
// without it. Then everything is as it was before, the index too.
func (l *ledger) confirm(failover bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.cut
	l.cut = nil
	before, now := c.last, l.last()
	if !failover || now.index == before.index && (now.value == nil) == (before.value == nil) {
		l.w.note("store", "the standby is back")
		return
	}
	ctx := context.Background()
	if before.value == nil {
		_ = l.Delete(ctx, l.key)
	} else {
		if l.Put(ctx, l.key, before.value, nil) != nil {
			return
		}
		pair, _ := l.Store.Get(ctx, l.key, nil)
		l.renamed.Store(&renamed{pair.LastIndex, before.index})
	}
	l.history = append(l.history, before)
	l.w.watcher.forget()
	l.highest = c.highest
	for token, o := range l.owners {
		if o.v >= c.from {
			l.undone[token] = o
			delete(l.owners, token)
		}
	}
	l.w.note("store", "the standby is promoted, with: %v", before.rec)
}

// Get implements store.Store.
func (l *ledger) Get(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
	pair, err := l.Store.Get(ctx, key, opts)
	return l.shown(pair), err
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
	if r := l.renamed.Load(); pair != nil && r != nil && pair.LastIndex == r.stored {
		other := *pair
		other.LastIndex = r.shown
		return &other
	}
	return pair
}

// stored returns a pair as the store has it.
func (l *ledger) stored(pair *store.KVPair) *store.KVPair {
	if r := l.renamed.Load(); pair != nil && r != nil && pair.LastIndex == r.shown {
		other := *pair
		other.LastIndex = r.stored
		return &other
	}
	return pair
}
