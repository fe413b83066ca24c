package watches

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// recent is a read of a key that many want, or another call that many would make.
type recent struct {
	done  chan struct{} // closed when what follows is there
	began time.Time
	shown *Shown
	err   error
}

// place is a key of a store as its users have it.
type place struct {
	kv  store.Store
	key string
}

// Recent returns what a get has returned that began no longer than age ago for any user. It
// is for a record of which an old state does no harm. get is called under the context of who
// asks first; those that come while it is under way wait for it, or for the end of their own.
func (w *Watch) Recent(
	ctx context.Context, kv store.Store, key string, age time.Duration, get func() (*store.KVPair, error),
) (*Shown, error) {
	if !reflect.ValueOf(kv).Comparable() {
		pair, err := get()
		return &Shown{Pair: pair}, err
	}
	p, at := w.shared.pool, place{kv, key}
	for {
		mu.Lock()
		r := p.recent[at]
		if r == nil || time.Since(r.began) > age {
			r = &recent{done: make(chan struct{}), began: time.Now()}
			p.forgetRecent(age)
			p.recent[at] = r
			mu.Unlock()
			pair, err := get()
			mu.Lock()
			if r.err = err; err == nil {
				r.shown = &Shown{Pair: pair}
			}
			if r.err != nil && p.recent[at] == r {
				delete(p.recent, at)
			}
			mu.Unlock()
			close(r.done)
			return r.shown, r.err
		}
		mu.Unlock()
		select {
		case <-r.done:
			if !errors.Is(r.err, context.Canceled) && !errors.Is(r.err, context.DeadlineExceeded) {
				return r.shown, r.err
			}
			// The context of the one that asked has ended: ask again.
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
}

// Recall returns what Recent would return at once without an error, or nil.
func (w *Watch) Recall(kv store.Store, key string, age time.Duration) *Shown {
	if !reflect.ValueOf(kv).Comparable() {
		return nil
	}
	mu.Lock()
	defer mu.Unlock()
	r := w.shared.pool.recent[place{kv, key}]
	if r == nil || time.Since(r.began) > age {
		return nil
	}
	select {
	case <-r.done:
		return r.shown // nil after an error
	default:
		return nil
	}
}

// Changed has the next call of Recent for the key read it.
func (w *Watch) Changed(kv store.Store, key string) {
	if !reflect.ValueOf(kv).Comparable() {
		return
	}
	mu.Lock()
	defer mu.Unlock()
	delete(w.shared.pool.recent, place{kv, key})
}

// forgetRecent drops what is older than anybody asks for.
func (p *pool) forgetRecent(age time.Duration) {
	for at, r := range p.recent {
		if time.Since(r.began) > 10*age {
			delete(p.recent, at)
		}
	}
}
