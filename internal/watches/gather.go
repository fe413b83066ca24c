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
	told    []func(pair *store.KVPair, err error) // nil of those that have left, or were told
	waiting int                                   // that have not left
}

// together is what looks have in common that are gathered.
type together struct {
	kv    store.Store
	scale int // of how long they may take
}

// Gather reads key of kv, the store as the user of the watch has it, together with the keys
// that others want read within that time, and with a limit like this one, by one call, which is given up after limit, in all,
// and of which like of a call of Turn there are at most MaxCalls. It does not wait: it calls told
// with what was found, nil for a missing key, in another goroutine, which told must not hold
// up. An error may concern another key. leave ends that: it reports whether told was not called,
// and will not be. ctx is used for its values only.
//
// ok is false, and nothing else happens, if there are few keys, or the store does not read many
// at once.
func (w *Watch) Gather(
	ctx context.Context, kv store.Store, key string, within, limit time.Duration, told func(pair *store.KVPair, err error),
) (leave func() bool, ok bool) {
	p := w.shared.pool
	if _, many := p.origin.(store.ManyGetter); !many || !reflect.ValueOf(kv).Comparable() {
		return nil, false
	}
	mu.Lock()
	defer mu.Unlock()
	if len(p.keys) < Many {
		return nil, false
	}
	with := together{kv, bits.Len64(uint64(limit))}
	g := p.gatherings[with]
	if g == nil {
		g = &gathering{pool: p, together: with}
		g.ctx, g.cancel = context.WithTimeout(context.WithoutCancel(ctx), limit)
		g.begin = time.AfterFunc(within, g.run)
		p.gatherings[with] = g
	}
	i := len(g.keys)
	g.keys, g.told = append(g.keys, key), append(g.told, told)
	g.waiting++
	return func() bool { return g.leave(i) }, true
}

// leave notes that one that has joined does not wait any more.
func (g *gathering) leave(i int) bool {
	mu.Lock()
	defer mu.Unlock()
	if g.told[i] == nil {
		return false
	}
	g.told[i] = nil
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
	for i := range g.told {
		mu.Lock()
		told := g.told[i]
		g.told[i] = nil
		mu.Unlock()
		switch {
		case told == nil:
		case err != nil:
			told(nil, err)
		default:
			told(pairs[i], nil)
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
