package base

import (
	"context"

	"github.com/seed-a1d591d3/leadership/store"
)

// Follow passes the states of key to tell, one after another, beginning with the
// current one: a missing key is a pair with a nil Value and LastIndex 0. It returns soon
// after ctx has ended, and when it cannot go on without missing a change. tell does not
// block, and keeps the pair.
type Follow func(ctx context.Context, key string, tell func(*store.KVPair))

// Watch runs follow and returns a channel of what it tells. A reader that falls behind
// gets the latest state in place of all that it missed; the same state is not sent twice
// in a row. The channel is closed right after ctx has ended, the store was closed or
// follow has returned, whether anybody reads or not.
func (s *Store) Watch(ctx context.Context, key string, follow Follow) (<-chan *store.KVPair, error) {
	err := s.CheckKey(ctx, key)
	pairs := make(chan *store.KVPair)
	if err == nil {
		err = s.Go(ctx, func(ctx context.Context) {
			ctx, cancel := context.WithCancel(ctx)
			latest := make(chan *store.KVPair, 1)
			delivered := make(chan struct{})
			go func() {
				defer close(delivered)
				defer close(pairs)
				deliver(ctx, latest, pairs)
			}()
			follow(ctx, key, func(pair *store.KVPair) { replace(latest, pair) })
			cancel()
			<-delivered
		})
	}
	if err != nil {
		return nil, s.Failed(ctx, "watch", key, err)
	}
	return pairs, nil
}

// replace puts pair into latest, in place of one that was not taken. Only one goroutine
// may call it.
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

// state includes the value: a server that has lost its data uses an index again.
type state struct {
	index uint64
	found bool
	value string
}

func stateOf(pair *store.KVPair) state {
	return state{pair.LastIndex, pair.Value != nil, string(pair.Value)}
}
