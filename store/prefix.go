package store

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// WithPrefix returns a view of kv that adds prefix to each key on its way to kv, and
// removes it from each key on its way back. An empty key is an error. Close closes kv. A
// reader of a watch that falls behind gets the latest pair in place of all that it
// missed. If prefix is empty, WithPrefix returns kv itself.
func WithPrefix(kv Store, prefix string) Store {
	if prefix == "" {
		return kv
	}
	return &prefixed{kv, prefix}
}

var errEmptyKey = errors.New("store: the key is empty")

type prefixed struct {
	kv     Store
	prefix string
}

func (p *prefixed) Get(ctx context.Context, key string, opts *ReadOptions) (*KVPair, error) {
	if key == "" {
		return nil, errEmptyKey
	}
	pair, err := p.kv.Get(ctx, p.prefix+key, opts)
	return p.strip(pair), err
}

func (p *prefixed) AtomicPut(ctx context.Context, key string, value []byte, previous *KVPair, opts *WriteOptions) (bool, *KVPair, error) {
	if key == "" {
		return false, nil, errEmptyKey
	}
	ok, pair, err := p.kv.AtomicPut(ctx, p.prefix+key, value, p.add(previous), opts)
	return ok, p.strip(pair), err
}

func (p *prefixed) AtomicDelete(ctx context.Context, key string, previous *KVPair) (bool, error) {
	if key == "" {
		return false, errEmptyKey
	}
	return p.kv.AtomicDelete(ctx, p.prefix+key, p.add(previous))
}

func (p *prefixed) Watch(ctx context.Context, key string, opts *ReadOptions) (<-chan *KVPair, error) {
	return p.watch(ctx, key, func(key string) (<-chan *KVPair, error) { return p.kv.Watch(ctx, key, opts) })
}

// Hints implements Hinter, by the store beneath.
func (p *prefixed) Hints(ctx context.Context, key string) (<-chan *KVPair, error) {
	return p.watch(ctx, key, func(key string) (<-chan *KVPair, error) { return Hints(ctx, p.kv, key) })
}

// HintsBelow implements TreeHinter, by the store beneath.
func (p *prefixed) HintsBelow(ctx context.Context, directory string) (<-chan *KVPair, error) {
	inner, err := HintsBelow(ctx, p.kv, p.prefix+directory)
	if err != nil {
		return nil, err
	}
	pairs := make(chan *KVPair)
	go func() {
		p.pass(ctx, inner, pairs)
		close(pairs)
		for range inner {
		}
	}()
	return pairs, nil
}

// mostHints is how many keys pass keeps for a slow reader. Beyond it the reader is told that
// any key may have changed.
const mostHints = 1000

// pass sends the hints of inner to hints, until inner or ctx ends.
func (p *prefixed) pass(ctx context.Context, inner <-chan *KVPair, hints chan<- *KVPair) {
	var queue []*KVPair
	for {
		var (
			out  chan<- *KVPair
			next *KVPair
		)
		if len(queue) > 0 {
			out, next = hints, queue[0]
		}
		select {
		case <-ctx.Done():
			return
		case out <- next:
			queue = queue[1:]
		case hint, ok := <-inner:
			if !ok {
				return
			}
			hint = p.strip(hint)
			i := slices.IndexFunc(queue, func(earlier *KVPair) bool { return earlier.Key == hint.Key })
			switch {
			case hint.Key == "" || i < 0 && len(queue) == mostHints:
				queue = []*KVPair{{}}
			case i >= 0:
				queue[i] = hint
			default:
				queue = append(queue, hint)
			}
		}
	}
}

func (p *prefixed) watch(ctx context.Context, key string, watch func(key string) (<-chan *KVPair, error)) (<-chan *KVPair, error) {
	if key == "" {
		return nil, errEmptyKey
	}
	inner, err := watch(p.prefix + key)
	if err != nil {
		return nil, err
	}
	pairs := make(chan *KVPair)
	go func() {
		p.forward(ctx, inner, pairs)
		close(pairs)
		// The watches of some adapters end late, and never end if they are not read.
		for range inner {
		}
	}()
	return pairs, nil
}

// forward sends the latest pair of inner to pairs, until inner or ctx ends.
func (p *prefixed) forward(ctx context.Context, inner <-chan *KVPair, pairs chan<- *KVPair) {
	type state struct {
		index uint64
		found bool
	}
	var (
		out          chan<- *KVPair // nil while there is nothing to send
		next         *KVPair
		coming, last state // of next, and of what was sent last
		sent         bool
	)
	for {
		select {
		case <-ctx.Done():
			return
		case out <- next:
			sent, last, out = true, coming, nil
		case pair, ok := <-inner:
			if !ok {
				return
			}
			next, out = p.strip(pair), pairs
			coming = state{next.LastIndex, next.Value != nil}
			// The reader may have this state: those between are left out. (The index of
			// some adapters is always 0.)
			if sent && coming == last && (coming.index != 0 || !coming.found) {
				out = nil
			}
		}
	}
}

func (p *prefixed) List(ctx context.Context, directory string, opts *ReadOptions) ([]*KVPair, error) {
	pairs, err := p.kv.List(ctx, p.prefix+directory, opts)
	for i := range pairs {
		pairs[i] = p.strip(pairs[i])
	}
	return pairs, err
}

func (p *prefixed) Close() error { return p.kv.Close() }

// Beneath returns the store beneath this view, and the key there.
func (p *prefixed) Beneath(key string) (Store, string) { return p.kv, p.prefix + key }

// Target returns the target of the store beneath, with the prefix.
func (p *prefixed) Target() Target {
	t := TargetOf(p.kv)
	if t == nil {
		return nil
	}
	return t.prefixed(p.prefix)
}

// add and strip copy the pair, because others may read it.
func (p *prefixed) add(pair *KVPair) *KVPair {
	if pair == nil {
		return nil
	}
	full := *pair
	full.Key = p.prefix + pair.Key
	return &full
}

func (p *prefixed) strip(pair *KVPair) *KVPair {
	if pair == nil {
		return nil
	}
	short := *pair
	short.Key = strings.TrimPrefix(pair.Key, p.prefix)
	return &short
}
