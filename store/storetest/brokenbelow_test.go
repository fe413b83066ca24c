package storetest

import (
	"context"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// The breakages of HintsBelow.

// hints breaks the hints below a directory by filters, one for each watch.
func hints(newFilter func() func(*store.KVPair) *store.KVPair) breakage {
	return func(b *broken, _ *memory.Store) {
		b.below = func(ctx context.Context, directory string) (<-chan *store.KVPair, error) {
			in, err := store.HintsBelow(ctx, b.Store, directory)
			return filtered(ctx, in, err, newFilter())
		}
	}
}

// hintsBut leaves out those for which f returns true.
func hintsBut(f func(pair *store.KVPair) bool) breakage {
	return hints(func() func(*store.KVPair) *store.KVPair {
		return func(pair *store.KVPair) *store.KVPair {
			if f(pair) {
				return nil
			}
			return pair
		}
	})
}

// hintsMissCreates tells nothing of a key that is new to the watch.
var hintsMissCreates = hints(func() func(*store.KVPair) *store.KVPair {
	known := make(map[string]bool)
	return func(pair *store.KVPair) *store.KVPair {
		before := known[pair.Key]
		known[pair.Key] = true
		if pair.Key != "" && !before {
			return nil
		}
		return pair
	}
})

var hintsChangeStates = hints(func() func(*store.KVPair) *store.KVPair {
	return func(pair *store.KVPair) *store.KVPair {
		if pair.Value != nil {
			pair.Value = append(pair.Value, '!')
		}
		return pair
	}
})

// hintsOfAll tells the changes of all keys.
func hintsOfAll(b *broken, _ *memory.Store) {
	b.below = func(ctx context.Context, _ string) (<-chan *store.KVPair, error) {
		return store.HintsBelow(ctx, b.Store, "")
	}
}

// hintsByPattern takes the directory for a pattern.
func hintsByPattern(b *broken, _ *memory.Store) {
	b.below = func(ctx context.Context, directory string) (<-chan *store.KVPair, error) {
		in, err := store.HintsBelow(ctx, b.Store, "")
		return filtered(ctx, in, err, func(pair *store.KVPair) *store.KVPair {
			parts := strings.SplitAfterN(pair.Key, "/", strings.Count(directory, "/")+1)
			head := strings.Join(parts[:len(parts)-1], "")
			if ok, _ := path.Match(directory, head); !ok && pair.Key != "" {
				return nil
			}
			return pair
		})
	}
}

// hintsDropTheLatest holds one hint for a slow reader, the oldest.
func hintsDropTheLatest(b *broken, _ *memory.Store) {
	b.below = func(ctx context.Context, directory string) (<-chan *store.KVPair, error) {
		in, err := store.HintsBelow(ctx, b.Store, directory)
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

// hintsStartLate says that they stand a while before they do.
func hintsStartLate(b *broken, _ *memory.Store) {
	b.below = func(ctx context.Context, directory string) (<-chan *store.KVPair, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out := make(chan *store.KVPair, 1)
		out <- new(store.KVPair)
		go func() {
			defer close(out)
			time.Sleep(20 * time.Millisecond)
			in, err := store.HintsBelow(ctx, b.Store, directory)
			if err != nil {
				return
			}
			<-in
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

// hintsOutlive leaves watches open for a while after they should have ended.
func hintsOutlive(b *broken, _ *memory.Store) {
	b.below = func(ctx context.Context, directory string) (<-chan *store.KVPair, error) {
		in, err := store.HintsBelow(ctx, b.Store, directory)
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
			time.Sleep(300 * time.Millisecond)
		}()
		return out, nil
	}
}

// hintsOutliveClose leaves watches open when the client is closed.
func hintsOutliveClose(b *broken, shared *memory.Store) {
	b.below = func(ctx context.Context, directory string) (<-chan *store.KVPair, error) {
		return shared.HintsBelow(ctx, directory)
	}
}

// hintsIgnoreContexts leaves watches open when their contexts end.
func hintsIgnoreContexts(b *broken, _ *memory.Store) {
	b.below = func(ctx context.Context, directory string) (<-chan *store.KVPair, error) {
		return store.HintsBelow(context.WithoutCancel(ctx), b.Store, directory)
	}
}

// hintsLeaveGoroutines leaves a goroutine of each watch behind, until the store is closed.
func hintsLeaveGoroutines(b *broken, _ *memory.Store) {
	closed := make(chan struct{})
	var once sync.Once
	b.below = func(ctx context.Context, directory string) (<-chan *store.KVPair, error) {
		go func() { <-closed }()
		return store.HintsBelow(ctx, b.Store, directory)
	}
	b.close = func() error {
		once.Do(func() { close(closed) })
		return b.Store.Close()
	}
}

// hintsGoDeaf stay open when the connection is lost, and tell nothing more.
func hintsGoDeaf(b *broken, _ *memory.Store) {
	b.below = func(ctx context.Context, directory string) (<-chan *store.KVPair, error) {
		in, err := store.HintsBelow(ctx, b.Store, directory)
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
