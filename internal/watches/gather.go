package watches

import (
	"context"
	"reflect"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// Many is how many keys of a store a process has to deal with before looks at them that
// nobody waits for are gathered.
const Many = 32

// gathering is a read of many keys that is about to be made.
type gathering struct {
	pool   *pool
	kv     store.Store
	ctx    context.Context
	cancel context.CancelFunc
	begin  *time.Timer

	// mu guards these until begin has fired.
	keys    []string
	waiting int // that have not left

	done  chan struct{} // closed when what follows is there
	pairs []*store.KVPair
	err   error
}

// Gather reads key of kv, the store as the user of the watch has it, together with the keys
// that others want read within that time, by one call. It returns nil for a missing key. Like a
// call of Turn that call is one of MaxCalls. ok reports whether the key was read: not after an
// error, which may concern another key, nor if the store does not read many keys at once, nor if
// there are few, nor once hurry is closed.
func (w *Watch) Gather(
	ctx context.Context, kv store.Store, key string, within time.Duration, hurry <-chan struct{},
) (pair *store.KVPair, ok bool) {
	g, i := w.join(ctx, kv, key, within)
	if g == nil {
		return nil, false
	}
	select {
	case <-g.done:
		if g.err != nil {
			return nil, false
		}
		return g.pairs[i], true
	case <-ctx.Done():
	case <-hurry:
	}
	g.leave()
	return nil, false
}

// join has key read as the ith of a gathering, or returns nil.
func (w *Watch) join(ctx context.Context, kv store.Store, key string, within time.Duration) (g *gathering, i int) {
	p := w.shared.pool
	_, many := p.origin.(store.ManyGetter)
	deadline, limited := ctx.Deadline()
	if !many || !limited || !reflect.ValueOf(kv).Comparable() {
		return nil, 0
	}
	mu.Lock()
	defer mu.Unlock()
	if len(p.keys) < Many {
		return nil, 0
	}
	g = p.gatherings[kv]
	if g == nil {
		g = &gathering{pool: p, kv: kv, done: make(chan struct{})}
		g.ctx, g.cancel = context.WithDeadline(context.WithoutCancel(ctx), deadline)
		g.begin = time.AfterFunc(within, g.run)
		p.gatherings[kv] = g
	}
	g.keys = append(g.keys, key)
	g.waiting++
	return g, len(g.keys) - 1
}

// leave notes that one that has joined does not wait any more.
func (g *gathering) leave() {
	mu.Lock()
	defer mu.Unlock()
	if g.waiting--; g.waiting > 0 {
		return
	}
	g.cancel()
	g.close()
	g.begin.Stop()
}

// close has nobody join any more. The caller holds mu.
func (g *gathering) close() {
	if g.pool.gatherings[g.kv] == g {
		delete(g.pool.gatherings, g.kv)
	}
}

// run makes the call.
func (g *gathering) run() {
	defer g.cancel()
	defer close(g.done)
	mu.Lock()
	g.close()
	mu.Unlock()
	done, err := g.pool.turn(g.ctx)
	if err != nil {
		g.err = err
		return
	}
	defer done()
	g.pairs, g.err = store.GetMany(g.ctx, g.kv, g.keys)
}
