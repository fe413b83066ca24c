package leadership

import (
	"context"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// drainGrace is how long the end of a watch is waited for; a store that takes
// longer has its channel drained by a goroutine that outlives the campaign.
const drainGrace = 100 * time.Millisecond

// watch keeps one watch of a key open and passes on what it says as hints.
// Nothing depends on it: a watch that fails, ends or says nothing costs time
// only.
type watch struct {
	kv   store.Store
	key  string
	hint func(*store.KVPair) // must not block
	// pause returns how long to wait before the watch is opened again.
	pause func() time.Duration
	// again asks for a watch that is not open to be opened now, because the
	// record has changed: some stores cannot watch a missing key.
	again chan struct{}
	done  chan struct{}
}

// run watches until ctx ends.
func (w *watch) run(ctx context.Context) {
	defer close(w.done)
	for ctx.Err() == nil {
		w.once(ctx)
		pause := w.pause()
		select {
		case <-ctx.Done():
		case <-time.After(pause / 16):
			// Never opened again and again on top of itself.
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		case <-w.again:
		}
	}
}

// once opens a watch and follows it until it or ctx ends.
func (w *watch) once(parent context.Context) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	opened := make(chan (<-chan *store.KVPair), 1)
	go func() {
		defer close(opened)
		if pairs, err := w.kv.Watch(ctx, w.key, &store.ReadOptions{Consistent: true}); err == nil && pairs != nil {
			opened <- pairs
		}
	}()

	// A watch that takes too long to open is given up, but not opened again
	// before that has come to an end.
	slow := time.AfterFunc(4*w.pause(), cancel)
	var pairs <-chan *store.KVPair
	select {
	case pairs = <-opened:
		slow.Stop()
	case <-parent.Done():
		slow.Stop()
		abandon(func() { drain(<-opened) })
		return
	}
	for pairs != nil {
		select {
		case pair, ok := <-pairs:
			if !ok {
				return
			}
			w.hint(pair)
		case <-ctx.Done():
			abandon(func() { drain(pairs) })
			return
		}
	}
}

// drain reads until a channel is closed, for there are stores that otherwise
// block for ever in sending to it.
func drain(pairs <-chan *store.KVPair) {
	if pairs == nil {
		return
	}
	for range pairs { // what it says is not wanted any more
	}
}

// abandon waits for f for a moment, and then leaves it to end by itself.
func abandon(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	grace := time.NewTimer(drainGrace)
	defer grace.Stop()
	select {
	case <-done:
	case <-grace.C:
	}
}
