package watches

import (
	"context"
	"math/bits"
	"reflect"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// Many is how many keys of a store a process has to deal with before looks at them that
// nobody waits for are gathered.
const Many = 32

// gathering is a read of many keys that is about to be made.
type gathering struct {
	together
	pool   *pool
	ctx    context.Context
	cancel context.CancelFunc
	begin  *time.Timer

	// mu guards these. keys does not change once begin has fired.
	keys    []string
	readers []Reader // nil of those that have left, or were told
	waiting int      // that have not left
}

// together is what looks have in common that are gathered.
type together struct {
	kv          store.Store
	wait, scale int // of how long they wait, and may take
}

// Reader is told by Gather what was found, nil for a missing key. An error may concern another key.
// Told must not block.
type Reader interface {
	Told(pair *store.KVPair, err error)
}

// Member is one that waits for what was gathered.
type Member struct {
	of *gathering
	i  int
}

// Gather reads key of kv, the store as the user of the watch has it, together with the keys
// that others want read within a time and with a limit like these, by one call, which is given up after limit, in all,
// and of which like of a call of Turn there are at most MaxCalls. It does not wait: it tells by in
// another goroutine. ctx is used for its values only.
//
// ok is false, and nothing else happens, if there are few keys, or the store does not read many
// at once.
func (w *Watch) Gather(
	ctx context.Context, kv store.Store, key string, within, limit time.Duration, by Reader,
) (m Member, ok bool) {
	p := w.shared.pool
	if _, many := p.origin.(store.ManyGetter); !many || !reflect.ValueOf(kv).Comparable() {
		return m, false
	}
	mu.Lock()
	defer mu.Unlock()
	if len(p.keys) < Many {
		return m, false
	}
	with := together{kv, bits.Len64(uint64(within)), bits.Len64(uint64(limit))}
	g := p.gatherings[with]
	if g == nil {
		g = &gathering{pool: p, together: with}
		g.ctx, g.cancel = context.WithTimeout(context.WithoutCancel(ctx), limit)
		g.begin = time.AfterFunc(within, g.run)
		p.gatherings[with] = g
	}
	g.keys, g.readers = append(g.keys, key), append(g.readers, by)
	g.waiting++
	return Member{g, len(g.keys) - 1}, true
}

// Leave ends the wait. It reports whether the reader was not told, and will not be.
func (m Member) Leave() bool {
	mu.Lock()
	defer mu.Unlock()
	g := m.of
	if g.readers[m.i] == nil {
		return false
	}
	g.readers[m.i] = nil
	if g.waiting--; g.waiting == 0 {
		g.cancel()
		g.close()
		g.begin.Stop()
	}
	return true
}

// close has nobody join any more. The caller holds mu.
func (g *gathering) close() {
	if g.pool.gatherings[g.together] == g {
		delete(g.pool.gatherings, g.together)
	}
}

// run makes the call.
func (g *gathering) run() {
	defer g.cancel()
	mu.Lock()
	g.close()
	mu.Unlock()
	pairs, err := g.pool.getMany(g.ctx, g.kv, g.keys)
	for i := range g.readers {
		mu.Lock()
		by := g.readers[i]
		g.readers[i] = nil
		mu.Unlock()
		switch {
		case by == nil:
		case err != nil:
			by.Told(nil, err)
		default:
			by.Told(pairs[i], nil)
		}
	}
}

// getMany is store.GetMany, as one of MaxCalls.
func (p *pool) getMany(ctx context.Context, kv store.Store, keys []string) ([]*store.KVPair, error) {
	done, err := p.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	return store.GetMany(ctx, kv, keys)
}
