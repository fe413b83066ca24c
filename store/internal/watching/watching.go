// Package watching carries the states of a key from a store's own watch to the
// channel of store.Store's Watch.
package watching

import (
	"context"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/life"
)

// Follow tells the states of a key, one after another, beginning with the
// current one: a missing key as a pair with a nil Value and LastIndex 0. It
// returns soon after ctx has ended, and when it cannot go on without missing a
// change. tell does not block, and takes over the pair.
type Follow func(ctx context.Context, tell func(*store.KVPair))

// Run runs follow and returns a channel of what it tells. A reader that falls
// behind gets the latest state in place of all that it missed; the same state
// is not sent twice in a row. The channel is closed right after ctx or the life
// has ended or follow has returned, whether anybody reads or not.
func Run(ctx context.Context, l *life.Life, follow Follow) (<-chan *store.KVPair, error) {
	pairs := make(chan *store.KVPair)
	err := l.Go(ctx, func(ctx context.Context) {
		ctx, cancel := context.WithCancel(ctx)
		latest := make(chan *store.KVPair, 1)
		delivered := make(chan struct{})
		go func() {
			defer close(delivered)
			defer close(pairs)
			deliver(ctx, latest, pairs)
		}()
		follow(ctx, func(pair *store.KVPair) { replace(latest, pair) })
		cancel()
		<-delivered
	})
	if err != nil {
		return nil, err
	}
	return pairs, nil
}

// replace puts pair into latest, in place of what nobody has taken. Only one
// goroutine may call it.
func replace(latest chan *store.KVPair, pair *store.KVPair) {
	select {
	case <-latest:
	default:
	}
	latest <- pair
}

// deliver sends what comes from latest until ctx ends.
func deliver(ctx context.Context, latest <-chan *store.KVPair, pairs chan<- *store.KVPair) {
	var (
		sent   bool
		last   state                // what was sent last
		next   *store.KVPair        // what is to be sent
		coming state                // of next, which is the reader's once sent
		out    chan<- *store.KVPair // nil while there is nothing to send
	)
	for {
		select {
		case <-ctx.Done():
			return
		case next = <-latest:
			out, coming = pairs, stateOf(next)
			if sent && coming == last {
				out = nil // the reader has this state
			}
		case out <- next:
			sent, last, out = true, coming, nil
		}
	}
}

// state has the value, too: a server that has lost its data gives an index again.
type state struct {
	index uint64
	found bool
	value string
}

func stateOf(pair *store.KVPair) state {
	return state{pair.LastIndex, pair.Value != nil, string(pair.Value)}
}
