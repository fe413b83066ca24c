package store

import (
	"context"
	"errors"
	"strings"
)

// WithPrefix returns a view of kv whose keys all begin with prefix, which the
// callers of the view neither write nor see. It has no empty key. Its Close closes kv. A reader of its
// Watch that falls behind gets the latest pair in place of all that it missed.
// With an empty prefix it is kv itself.
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
	if key == "" {
		return nil, errEmptyKey
	}
	inner, err := p.kv.Watch(ctx, p.prefix+key, opts)
	if err != nil {
		return nil, err
	}
	pairs := make(chan *KVPair)
	go func() {
		p.forward(ctx, inner, pairs)
		close(pairs)
		// Some adapters' watches end late, and stay behind for good if nobody
		// reads them.
		for range inner {
		}
	}()
	return pairs, nil
}

// forward passes on what inner tells, always the latest, until it or ctx ends.
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
			// What it stands in place of may have led back to where the reader
			// is. (Some adapters' indexes are always 0.)
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

// Beneath returns the store that this is a view of, and key as it is there.
func (p *prefixed) Beneath(key string) (Store, string) { return p.kv, p.prefix + key }

// Target returns that of the store beneath, with the prefix.
func (p *prefixed) Target() Target {
	t := TargetOf(p.kv)
	if t == nil {
		return nil
	}
	return t.prefixed(p.prefix)
}

// add and strip copy: the pair may be read by others.
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
