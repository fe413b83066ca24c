package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// site is a store in memory that can be stopped, frozen and cut off, for all
// its clients at once, which are all broken alike.
type site struct {
	kv     *memory.Store
	how    breakage
	onStop func(*site) // breaks the server, not the clients

	mu    sync.Mutex
	links []*faultstore.Store
	state func(*faultstore.Store) // of those to come
}

func (s *site) open(testing.TB) store.Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	link := faultstore.New(s.kv)
	if s.state != nil {
		s.state(link)
	}
	s.links = append(s.links, link)
	b := &broken{Store: link}
	s.how(b, s.kv)
	return b
}

func (s *site) all(f func(*faultstore.Store)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = f
	for _, link := range s.links {
		f(link)
	}
}

func (s *site) Stop() {
	s.all(func(link *faultstore.Store) { link.Refuse(); link.KillWatches() })
	if s.onStop != nil {
		s.onStop(s)
	}
}
func (s *site) Start()  { s.all((*faultstore.Store).Heal) }
func (s *site) Freeze() { s.all((*faultstore.Store).Partition) }
func (s *site) Thaw()   { s.all((*faultstore.Store).Heal) }

// cut ends all watches, and of the next calls of each client most go wrong:
// before they take effect, or after.
func (s *site) cut() {
	const next = 8
	rates := faultstore.Rates{Fail: 0.3, LoseReply: 0.4, After: 1, MaxDelay: time.Millisecond}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, link := range s.links {
		var calls atomic.Int64
		faults := faultstore.Random(uint64(i), rates)
		link.KillWatches()
		link.SetPlan(func(c faultstore.Call) faultstore.Fault {
			if calls.Add(1) > next {
				return faultstore.Fault{}
			}
			return faults(c)
		})
	}
}

func (s *site) end() {
	for _, link := range s.links {
		link.Close()
	}
	s.kv.Close()
}

// The breakages of what has a server.

// forgetsOnStop loses what was acknowledged.
func forgetsOnStop(s *site) {
	pairs, err := s.kv.List(context.Background(), "", nil)
	for _, pair := range pairs {
		if err == nil {
			err = s.kv.Delete(context.Background(), pair.Key)
		}
	}
}

// givesUp does not connect again: after one lost connection all calls fail.
func givesUp(b *broken, _ *memory.Store) {
	var mu sync.Mutex
	var lost error
	b.get = func(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
		pair, err := b.Store.Get(ctx, key, opts)
		mu.Lock()
		defer mu.Unlock()
		if errors.Is(err, faultstore.ErrInjected) {
			lost = err
		}
		if lost != nil {
			return nil, lost
		}
		return pair, err
	}
}

// deafWatches stay open when the connection is lost, and tell nothing more.
func deafWatches(b *broken, _ *memory.Store) {
	b.watch = func(ctx context.Context, key string, opts *store.ReadOptions) (<-chan *store.KVPair, error) {
		in, err := b.Store.Watch(ctx, key, opts)
		if err != nil {
			return nil, err
		}
		out := make(chan *store.KVPair)
		go func() {
			defer close(out)
			for pair := range in {
				select {
				case out <- pair:
				case <-ctx.Done():
				}
			}
			<-ctx.Done()
		}()
		return out, nil
	}
}

// answersItself answers reads from what it remembers when the server does not.
func answersItself(b *broken, _ *memory.Store) {
	var mu sync.Mutex
	seen := make(map[string]*store.KVPair)
	b.get = func(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
		pair, err := b.Store.Get(ctx, key, opts)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			seen[key] = pair
		} else if errors.Is(err, faultstore.ErrInjected) && seen[key] != nil {
			return seen[key], nil
		}
		return pair, err
	}
	b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
		ok, pair, err := b.Store.AtomicPut(ctx, key, value, previous, opts)
		mu.Lock()
		defer mu.Unlock()
		if ok {
			seen[key] = pair
		}
		return ok, pair, err
	}
}

// missesWhatItCannotAsk says of a server that does not answer that the key is
// missing.
func missesWhatItCannotAsk(b *broken, _ *memory.Store) {
	b.get = func(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
		pair, err := b.Store.Get(ctx, key, opts)
		if errors.Is(err, faultstore.ErrInjected) || errors.Is(err, context.DeadlineExceeded) {
			err = store.ErrKeyNotFound
		}
		return pair, err
	}
}

// resends writes again what may have been written, and believes the answer to
// the second.
func resends(b *broken, _ *memory.Store) {
	b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
		ok, pair, err := b.Store.AtomicPut(ctx, key, value, previous, opts)
		for errors.Is(err, faultstore.ErrInjected) {
			ok, pair, err = b.Store.AtomicPut(ctx, key, value, previous, opts)
		}
		return ok, pair, err
	}
}

// leavesCalls leaves the goroutine of each call behind that got no answer,
// until the client is closed.
func leavesCalls(b *broken, _ *memory.Store) {
	b.get = func(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
		type answer struct {
			pair *store.KVPair
			err  error
		}
		answered := make(chan answer, 1)
		go func() {
			pair, err := b.Store.Get(context.WithoutCancel(ctx), key, opts)
			answered <- answer{pair, err}
		}()
		select {
		case a := <-answered:
			return a.pair, a.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// closesWithAWord has to ask the server before it closes.
func closesWithAWord(b *broken, _ *memory.Store) {
	b.close = func() error {
		_, _ = b.Store.Get(context.Background(), "any", nil)
		return b.Store.Close()
	}
}
