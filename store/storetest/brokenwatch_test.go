package storetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// The breakages of Watch.

// filter passes on what f makes of what a sound watch tells; nil is left out.
// It ends with the sound one.
func filter(ctx context.Context, kv store.Store, key string, f func(*store.KVPair) *store.KVPair) (<-chan *store.KVPair, error) {
	in, err := kv.Watch(ctx, key, nil)
	return filtered(ctx, in, err, f)
}

// filtered is filter for what a watch has returned.
func filtered(ctx context.Context, in <-chan *store.KVPair, err error, f func(*store.KVPair) *store.KVPair) (<-chan *store.KVPair, error) {
	if err != nil {
		return nil, err
	}
	out := make(chan *store.KVPair)
	go func() {
		defer close(out)
		for pair := range in {
			if pair = f(pair); pair == nil {
				continue
			}
			select {
			case out <- pair:
			case <-ctx.Done():
			}
		}
	}()
	return out, nil
}

// watches breaks watches by filters, one for each.
func watches(newFilter func() func(*store.KVPair) *store.KVPair) breakage {
	return func(b *broken, _ *memory.Store) {
		b.watch = func(ctx context.Context, key string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
			return filter(ctx, b.Store, key, newFilter())
		}
	}
}

var missesDeletes = watches(func() func(*store.KVPair) *store.KVPair {
	first := true
	return func(pair *store.KVPair) *store.KVPair {
		if pair.Value == nil && !first {
			return nil
		}
		first = false
		return pair
	}
})

var missesTheState = watches(func() func(*store.KVPair) *store.KVPair {
	first := true
	return func(pair *store.KVPair) *store.KVPair {
		if first {
			first = false
			return nil
		}
		return pair
	}
})

// missesMissing tells nothing first where there is nothing.
var missesMissing = watches(func() func(*store.KVPair) *store.KVPair {
	first := true
	return func(pair *store.KVPair) *store.KVPair {
		if first && pair.Value == nil {
			first = false
			return nil
		}
		first = false
		return pair
	}
})

// emptiesMissing tells a missing key with an empty value.
var emptiesMissing = watches(func() func(*store.KVPair) *store.KVPair {
	return func(pair *store.KVPair) *store.KVPair {
		if pair.Value == nil {
			pair.Value = []byte{}
		}
		return pair
	}
})

// missesChanges leaves one change in four out.
var missesChanges = watches(func() func(*store.KVPair) *store.KVPair {
	left := every(4)
	return func(pair *store.KVPair) *store.KVPair {
		if pair.Value != nil && left() {
			return nil
		}
		return pair
	}
})

// dropsTheLatest holds one state for a slow reader, the oldest.
func dropsTheLatest(b *broken, _ *memory.Store) {
	b.watch = func(ctx context.Context, key string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
		in, err := b.Store.Watch(ctx, key, nil)
		if err != nil {
			return nil, err
		}
		out := make(chan *store.KVPair, 1)
		go func() {
			defer close(out)
			for pair := range in {
				select {
				case out <- pair:
				default:
				}
			}
		}()
		return out, nil
	}
}

// tellsTwice tells each state twice.
func tellsTwice(b *broken, _ *memory.Store) {
	b.watch = func(ctx context.Context, key string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
		in, err := b.Store.Watch(ctx, key, nil)
		if err != nil {
			return nil, err
		}
		out := make(chan *store.KVPair)
		go func() {
			defer close(out)
			for pair := range in {
				for range 2 {
					select {
					case out <- pair:
					case <-ctx.Done():
					}
				}
			}
		}()
		return out, nil
	}
}

// tellsOthers tells the changes of all keys that begin with the watched one.
func tellsOthers(b *broken, shared *memory.Store) {
	b.watch = func(ctx context.Context, key string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
		in, err := b.Store.Watch(ctx, key, nil)
		if err != nil {
			return nil, err
		}
		other, err := b.Store.Watch(ctx, key+"/b", nil)
		if err != nil {
			return nil, err
		}
		out := make(chan *store.KVPair)
		go func() {
			defer close(out)
			<-other // its state
			for ctx.Err() == nil {
				var pair *store.KVPair
				var open bool
				select {
				case pair, open = <-in:
				case pair, open = <-other:
				}
				if !open {
					return
				}
				select {
				case out <- pair:
				case <-ctx.Done():
				}
			}
		}()
		return out, nil
	}
}

// outlives leaves watches open for a while after they should have ended; with unread,
// only those that are not read.
func outlives(unread bool) breakage {
	const while = 300 * time.Millisecond
	return func(b *broken, _ *memory.Store) {
		b.watch = func(ctx context.Context, key string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
			in, err := b.Store.Watch(ctx, key, nil)
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
						if unread {
							time.Sleep(while)
						}
					}
				}
				if !unread {
					time.Sleep(while)
				}
			}()
			return out, nil
		}
	}
}

// outlivesClose leaves watches open when the client is closed, until their
// contexts end.
func outlivesClose(b *broken, shared *memory.Store) {
	b.watch = func(ctx context.Context, key string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
		if _, err := b.Store.Get(ctx, key, nil); errors.Is(err, store.ErrClosed) {
			return nil, err
		}
		return shared.Watch(ctx, key, nil)
	}
}

// leaves leaves a goroutine of each watch behind, until the store is closed.
func leavesGoroutines(b *broken, _ *memory.Store) {
	closed := make(chan struct{})
	var once sync.Once
	b.watch = func(ctx context.Context, key string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
		go func() { <-closed }()
		return b.Store.Watch(ctx, key, nil)
	}
	b.close = func() error {
		once.Do(func() { close(closed) })
		return b.Store.Close()
	}
}

// startsLate reads the state first and begins to watch a while later.
func startsLate(b *broken, _ *memory.Store) {
	b.watch = func(ctx context.Context, key string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
		first, err := b.Store.Get(ctx, key, nil)
		if errors.Is(err, store.ErrKeyNotFound) {
			first, err = &store.KVPair{Key: key}, nil
		}
		if err != nil {
			return nil, err
		}
		out := make(chan *store.KVPair)
		go func() {
			defer close(out)
			select {
			case out <- first:
			case <-ctx.Done():
				return
			}
			time.Sleep(5 * time.Millisecond)
			in, err := b.Store.Watch(ctx, key, nil)
			if err != nil {
				return
			}
			<-in // what is there when the watch begins is not told
			for pair := range in {
				select {
				case out <- pair:
				case <-ctx.Done():
				}
			}
		}()
		return out, nil
	}
}

// missesCreates tells nothing of a key that was missing before.
var missesCreates = watches(func() func(*store.KVPair) *store.KVPair {
	missing := false
	return func(pair *store.KVPair) *store.KVPair {
		before := missing
		missing = pair.Value == nil
		if before && !missing {
			return nil
		}
		return pair
	}
})

// sharesOneWatch ends all watches of a client with any of them.
func sharesOneWatch(b *broken, _ *memory.Store) {
	var mu sync.Mutex
	var ends []context.CancelFunc
	b.watch = func(ctx context.Context, key string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
		mine, end := context.WithCancel(ctx)
		mu.Lock()
		ends = append(ends, end)
		mu.Unlock()
		context.AfterFunc(mine, func() {
			mu.Lock()
			defer mu.Unlock()
			for _, end := range ends {
				end()
			}
		})
		return b.Store.Watch(mine, key, nil)
	}
}

// watchesOneKey has room for one watch: a new one silences the one before.
func watchesOneKey(b *broken, _ *memory.Store) {
	var mu sync.Mutex
	turn := 0
	b.watch = func(ctx context.Context, key string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
		mu.Lock()
		turn++
		mine := turn
		mu.Unlock()
		return filter(ctx, b.Store, key, func(pair *store.KVPair) *store.KVPair {
			mu.Lock()
			defer mu.Unlock()
			if turn != mine {
				return nil
			}
			return pair
		})
	}
}
