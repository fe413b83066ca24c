package faultstore

import (
	"context"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// maxHeld bounds what a watch holds back. Beyond it the inner store has a slow reader.
const maxHeld = 64

// late is a pair on its way to the client.
type late struct {
	pair *store.KVPair
	due  time.Time
}

// Watch calls the inner store's Watch, with faults; it may fail like any call. The
// channel is closed when ctx ends, unless contexts are ignored; when the inner watch has
// ended and all that it sent is delivered (a watch that is muted or cut off does not
// notice the end until it no longer is); when its Life is over; and by KillWatches and
// Close. The inner watch is then cancelled, and drained until it has ended.
func (s *Store) Watch(ctx context.Context, key string, opts *store.ReadOptions) (<-chan *store.KVPair, error) {
	return s.watch(ctx, key, func(ctx context.Context) (<-chan *store.KVPair, error) { return s.inner.Watch(ctx, key, opts) })
}

// HintsBelow implements store.TreeHinter by the inner store, with the faults of OpWatch.
func (s *Store) HintsBelow(ctx context.Context, directory string) (<-chan *store.KVPair, error) {
	return s.watch(ctx, directory, func(ctx context.Context) (<-chan *store.KVPair, error) {
		return store.HintsBelow(ctx, s.inner, directory)
	})
}

func (s *Store) watch(ctx context.Context, key string, watch func(context.Context) (<-chan *store.KVPair, error)) (<-chan *store.KVPair, error) {
	f := s.begin(Call{Op: OpWatch, Key: key})
	if f.IgnoreContext {
		ctx = context.WithoutCancel(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	var in <-chan *store.KVPair
	err := s.run(ctx, OpWatch, key, f, func(context.Context) (err error) {
		in, err = watch(ctx) // not run's context: it may be one that cancel cannot end
		return err
	})
	if err != nil {
		cancel()
		go drain(in)
		return nil, err
	}
	out, kills := make(chan *store.KVPair), s.state().kills
	go func() {
		s.forward(ctx, f, kills, in, out)
		cancel()
		close(out)
		drain(in)
	}()
	return out, nil
}

// forward passes pairs from in to out, with faults, until the watch is over.
func (s *Store) forward(ctx context.Context, f Fault, kills int, in <-chan *store.KVPair, out chan<- *store.KVPair) {
	var dead <-chan time.Time
	if f.Life > 0 {
		dead = time.After(f.Life)
	}
	var held []late
	for {
		now := s.state()
		muted := f.Mute || now.muted
		if muted {
			held = nil
		}
		cut := muted || now.link != linkUp
		if now.kills != kills || (in == nil && len(held) == 0 && !cut) {
			return
		}

		// Read ahead only while the first pair is not due: the inner store must see that
		// a client is slow, so that it may skip old changes.
		var (
			source = in
			sink   chan<- *store.KVPair
			first  *store.KVPair
			ripe   <-chan time.Time
		)
		if len(held) > 0 {
			first = held[0].pair
			switch wait := time.Until(held[0].due); {
			case wait > 0:
				ripe = time.After(wait)
				if len(held) == maxHeld {
					source = nil
				}
			default:
				source = nil
				if !cut {
					sink = out
				}
			}
		}

		select {
		case <-ctx.Done():
			return
		case <-s.done:
			return
		case <-dead:
			return
		case <-now.changed:
		case <-ripe:
		case sink <- first:
			held = held[1:]
		case pair, open := <-source:
			if !open {
				in = nil
				continue
			}
			held = append(held, late{pair: pair, due: time.Now().Add(f.Lag + s.state().lag)})
		}
	}
}

// drain reads what is left, because some stores block until it is read, even if their
// contexts have ended.
func drain(in <-chan *store.KVPair) {
	if in == nil {
		return
	}
	for range in {
	}
}

// MaxWatches returns how many watches elections may keep open at once on the
// inner store.
func (s *Store) MaxWatches() int { return store.MaxWatches(s.inner) }
