// Package watches shares and bounds the watches of a process: one for each key
// of a store, however many ask, or one for all keys of a directory where they are many, and
// no more at once than the store can stand. A watch is a hint to look sooner. Those beyond the bound are not opened until
// another has ended, and cost their users time only. It bounds the calls of a process to a
// store as well.
package watches

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// MaxCalls is how many calls to one store that take turns are under way at once: more would
// only wait for each other there, and a store that has too much to do would get still more
// when they are given up and made again.
const MaxCalls = 256

// Watch is one user's share in the watch of a key. Make it with Open. Its
// methods do not block, and are safe for concurrent use.
type Watch struct {
	shared *shared
	hint   func(*Shown)
	pause  func() time.Duration
	done   <-chan struct{} // nil until Close
}

// Shown is what a watch has shown to all its users. It is safe for concurrent use.
type Shown struct {
	Pair *store.KVPair // nil for no record

	once sync.Once
	read any
}

// Read returns what read makes of the pair. It is called once, for all users.
func (s *Shown) Read(read func(*store.KVPair) any) any {
	s.once.Do(func() { s.read = read(s.Pair) })
	return s.read
}

// Open has hint called with what the watch of key tells, from its own
// goroutine, until Close. Neither hint nor pause may block. pause returns how
// long to wait before a watch that has ended, or could not be opened, is opened
// again; of several users' pauses the shortest counts. ctx is used for its values
// only.
func Open(ctx context.Context, kv store.Store, key string, pause func() time.Duration, hint func(*Shown)) *Watch {
	w := &Watch{hint: hint, pause: pause}
	origin, originKey, limit := originOf(kv, key)

	mu.Lock()
	defer mu.Unlock()
	p := pools[origin]
	if p == nil {
		p = &pool{
			origin: origin, limit: limit, keys: make(map[any]*shared), calls: make(chan struct{}, MaxCalls),
			gatherings: make(map[together]*gathering), dirs: make(map[string]*directory), recent: make(map[place]*recent),
		}
		pools[origin] = p
	}
	s := p.keys[originKey]
	if s == nil {
		s = &shared{pool: p, kv: kv, key: key, originKey: originKey, ctx: context.WithoutCancel(ctx)}
		p.keys[originKey] = s
		p.enter(s)
	} else if s.dir != nil {
		s.dir.tree.forget(s)
	}
	w.shared = s
	s.mu.Lock()
	s.users = append(s.users, w)
	s.mu.Unlock()
	p.admit()
	return w
}

// Turn waits until fewer than MaxCalls calls to the store are under way, or ctx ends. Without
// an error the caller makes its call, and calls done when that has returned.
func (w *Watch) Turn(ctx context.Context) (done func(), err error) { return w.shared.pool.turn(ctx) }

func (p *pool) turn(ctx context.Context) (done func(), err error) {
	select {
	case p.calls <- struct{}{}:
		if ctx.Err() == nil {
			return func() { <-p.calls }, nil
		}
		<-p.calls
	case <-ctx.Done():
	}
	return nil, fmt.Errorf("%w: %d other calls of the store have not returned", ctx.Err(), MaxCalls)
}

// Again has a watch that is not open be opened now, because the record has
// changed: some stores cannot watch a missing key.
func (w *Watch) Again() {
	w.shared.mu.Lock()
	defer w.shared.mu.Unlock()
	if w.shared.own == nil {
		return // others watch with it, whether the key is missing or not
	}
	select {
	case w.shared.own.again <- struct{}{}:
	default:
	}
}

// Close ends the calls of hint and, for the last user, the watch. It returns a
// channel that is closed soon after, when what Open started has ended; a store
// that takes longer to end its watch has that drained by a goroutine that
// outlives it. Close may be called again.
func (w *Watch) Close() <-chan struct{} {
	mu.Lock()
	defer mu.Unlock()
	if w.done != nil {
		return w.done
	}
	w.done = ended
	s := w.shared
	s.mu.Lock()
	i := slices.Index(s.users, w)
	s.users = slices.Delete(s.users, i, i+1)
	last := len(s.users) == 0
	s.mu.Unlock()
	if last {
		w.done = s.pool.exit(s)
		s.pool.forget()
	}
	return w.done
}

var (
	mu    sync.Mutex
	pools = make(map[any]*pool) // by the store; those that have watches

	ended = func() chan struct{} { c := make(chan struct{}); close(c); return c }()
)

// pool is the watches of one store. mu guards it.
type pool struct {
	origin  any
	limit   int
	open    int             // watches that may hold a connection
	keys    map[any]*shared // that have users
	waiting []*stream       // of these, those that are to be opened, first come first served
	calls   chan struct{}   // see Turn

	gatherings map[together]*gathering
	dirs       map[string]*directory // that have keys
	recent     map[place]*recent     // see Recent
}

// own gives a key a watch of its own.
func (p *pool) own(s *shared) {
	own := newStream(p, s)
	s.setOwn(own)
	p.waiting = append(p.waiting, own)
}

// disown ends the watch that a key has of its own, if it has one. It returns a channel that
// is closed when that has ended.
func (p *pool) disown(s *shared) <-chan struct{} {
	own := s.own
	if own == nil {
		return ended
	}
	s.setOwn(nil)
	done := own.leave()
	if i := slices.Index(p.waiting, own); i >= 0 { // it was never opened
		p.waiting = slices.Delete(p.waiting, i, i+1)
		close(own.done)
	}
	return done
}

// admit opens what may be opened.
func (p *pool) admit() {
	for p.open < p.limit && len(p.waiting) > 0 {
		s := p.waiting[0]
		p.waiting = slices.Delete(p.waiting, 0, 1)
		p.start(s)
	}
}

// start opens a watch, which takes a place until it has ended.
func (p *pool) start(s *stream) {
	p.open++
	go s.run()
}

// forget drops a pool that has nothing left.
func (p *pool) forget() {
	if p.open == 0 && len(p.keys) == 0 {
		delete(pools, p.origin)
	}
}

// release makes room for another watch.
func (p *pool) release() {
	mu.Lock()
	defer mu.Unlock()
	p.open--
	p.admit()
	p.forget()
}

// originOf returns the store beneath views of it (such as store.WithPrefix
// makes), and the key there. A store that cannot be told from others of its type
// shares its bound with them, and its watches with nobody. limit is that bound.
func originOf(kv store.Store, key string) (origin, originKey any, limit int) {
	for {
		view, ok := kv.(interface {
			Beneath(key string) (store.Store, string)
		})
		if !ok {
			break
		}
		kv, key = view.Beneath(key)
	}
	if v := reflect.ValueOf(kv); !v.Comparable() {
		return v.Type(), new(int), store.MaxWatches(kv)
	}
	return kv, key, store.MaxWatches(kv)
}
