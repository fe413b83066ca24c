package faultstore

import (
	"context"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// maxHeld bounds what a watch holds back. Beyond it the inner store sees a slow
// reader, and does what it does with those.
const maxHeld = 64

// late is a pair on its way to the client.
type late struct {
	pair *store.KVPair
	due  time.Time
}

// Watch is the inner store's, with faults: it may fail to start, as any call
// may. The channel is closed when ctx ends, unless contexts are ignored; when
// the inner watch has ended and what it sent is delivered (a watch that is muted
// or cut off does not notice its end until then); when its Life is over; and by
// KillWatches and Close. The inner watch is then cancelled, and drained until it
// has ended too.
func (s *Store) Watch(ctx context.Context, key string, opts *store.ReadOptions) (<-chan *store.KVPair, error) {
	f := s.begin(OpWatch, key)
	if f.IgnoreContext {
		ctx = context.WithoutCancel(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	var in <-chan *store.KVPair
	err := s.run(ctx, OpWatch, key, f, func(context.Context) (err error) {
		in, err = s.inner.Watch(ctx, key, opts) // not run's context: it may be one that cancel cannot end
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

		// Read ahead only while the first pair is not due: a slow client must
		// look slow to the inner store too, which then may skip old changes.
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

// drain reads what is left, because some stores block until they are read,
// whatever their contexts say.
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
