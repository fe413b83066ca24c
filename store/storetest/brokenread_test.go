package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// The breakages of keys and values.

// mapsKeys stores keys under other names, and answers with the names that it
// was asked for.
func mapsKeys(f func(string) string) breakage {
	return func(b *broken, _ *memory.Store) {
		as := func(pair *store.KVPair, key string) *store.KVPair {
			if pair == nil {
				return nil
			}
			return &store.KVPair{Key: key, Value: pair.Value, LastIndex: pair.LastIndex}
		}
		b.get = func(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
			pair, err := b.Store.Get(ctx, f(key), opts)
			return as(pair, key), err
		}
		b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
			ok, pair, err := b.Store.AtomicPut(ctx, f(key), value, previous, opts)
			return ok, as(pair, key), err
		}
		b.delete = func(ctx context.Context, key string, previous *store.KVPair) (bool, error) {
			return b.Store.AtomicDelete(ctx, f(key), previous)
		}
		b.watch = func(ctx context.Context, key string, opts *store.ReadOptions) (<-chan *store.KVPair, error) {
			return filter(ctx, b.Store, f(key), func(pair *store.KVPair) *store.KVPair { return as(pair, key) })
		}
	}
}

// mapsValues stores other values.
func mapsValues(f func([]byte) []byte) breakage {
	return func(b *broken, _ *memory.Store) {
		b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
			return b.Store.AtomicPut(ctx, key, f(value), previous, opts)
		}
	}
}

func truncates(n int) breakage {
	return mapsValues(func(value []byte) []byte { return value[:min(n, len(value))] })
}

// repairsText makes valid UTF-8 of what it stores.
var repairsText = mapsValues(func(value []byte) []byte { return []byte(strings.ToValidUTF8(string(value), "\ufffd")) })

// findsNil returns nil for a value that is empty.
func findsNil(b *broken, _ *memory.Store) {
	b.get = func(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
		pair, err := b.Store.Get(ctx, key, opts)
		if pair != nil && len(pair.Value) == 0 {
			pair.Value = nil
		}
		return pair, err
	}
}

func acceptsEmptyKeys(b *broken, _ *memory.Store) {
	mapsKeys(func(key string) string {
		if key == "" {
			return "(empty)"
		}
		return key
	})(b, nil)
}

// goesBack finds, now and then, what was there before the last write.
func goesBack(b *broken, _ *memory.Store) {
	stale := every(5)
	b.get = func(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
		pair, err := b.Store.Get(ctx, key, opts)
		past.Lock()
		defer past.Unlock()
		if old := past.pairs[key]; old != nil && stale() {
			return &store.KVPair{Key: key, Value: old.Value, LastIndex: old.LastIndex}, nil
		}
		if err == nil {
			past.pairs[key] = &store.KVPair{Key: key, Value: append([]byte{}, pair.Value...), LastIndex: pair.LastIndex}
		}
		return pair, err
	}
}

// past is what was under keys some time ago.
var past = struct {
	sync.Mutex
	pairs map[string]*store.KVPair
}{pairs: map[string]*store.KVPair{}}

// The breakages of List.

// lists adds and removes from what is found.
func lists(f func(ctx context.Context, b *broken, directory string, pairs []*store.KVPair) []*store.KVPair) breakage {
	return func(b *broken, _ *memory.Store) {
		b.list = func(ctx context.Context, directory string, opts *store.ReadOptions) ([]*store.KVPair, error) {
			pairs, err := b.Store.List(ctx, directory, opts)
			if err != nil && !errors.Is(err, store.ErrKeyNotFound) {
				return nil, err
			}
			if pairs = f(ctx, b, directory, pairs); len(pairs) == 0 {
				return nil, store.ErrKeyNotFound
			}
			return pairs, nil
		}
	}
}

// only keeps the pairs that f lets through.
func only(f func(directory, key string) bool) breakage {
	return lists(func(_ context.Context, _ *broken, directory string, pairs []*store.KVPair) []*store.KVPair {
		var kept []*store.KVPair
		for _, pair := range pairs {
			if f(directory, pair.Key) {
				kept = append(kept, pair)
			}
		}
		return kept
	})
}

var listsItself = lists(func(ctx context.Context, b *broken, directory string, pairs []*store.KVPair) []*store.KVPair {
	if pair, err := b.Store.Get(ctx, directory, nil); err == nil {
		pairs = append(pairs, pair)
	}
	return pairs
})

// listsNoError returns nothing, and no error.
func listsNoError(b *broken, _ *memory.Store) {
	b.list = func(ctx context.Context, directory string, opts *store.ReadOptions) ([]*store.KVPair, error) {
		pairs, err := b.Store.List(ctx, directory, opts)
		if errors.Is(err, store.ErrKeyNotFound) {
			return nil, nil
		}
		return pairs, err
	}
}

// The breakages of Close and of contexts.

// ignoresContext lets the method of this name take no notice of its context.
func ignoresContext(name string) breakage {
	return func(b *broken, _ *memory.Store) {
		free := context.WithoutCancel
		switch name {
		case "Get":
			b.get = func(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
				return b.Store.Get(free(ctx), key, opts)
			}
		case "GetMany":
			b.many = func(ctx context.Context, keys []string) ([]*store.KVPair, error) {
				return store.GetMany(free(ctx), b.Store, keys)
			}
		case "AtomicPut":
			b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
				return b.Store.AtomicPut(free(ctx), key, value, previous, opts)
			}
		case "AtomicDelete":
			b.delete = func(ctx context.Context, key string, previous *store.KVPair) (bool, error) {
				return b.Store.AtomicDelete(free(ctx), key, previous)
			}
		case "Watch":
			b.watch = func(ctx context.Context, key string, opts *store.ReadOptions) (<-chan *store.KVPair, error) {
				return b.Store.Watch(free(ctx), key, opts)
			}
		default:
			b.list = func(ctx context.Context, directory string, opts *store.ReadOptions) ([]*store.KVPair, error) {
				return b.Store.List(free(ctx), directory, opts)
			}
		}
	}
}

// writesLate returns the error of the context, and writes nevertheless.
func writesLate(b *broken, _ *memory.Store) {
	b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
		if err := ctx.Err(); err != nil {
			time.AfterFunc(time.Millisecond, func() {
				_, _, _ = b.Store.AtomicPut(context.WithoutCancel(ctx), key, value, previous, opts)
			})
			return false, nil, err
		}
		return b.Store.AtomicPut(ctx, key, value, previous, opts)
	}
}

// staysOpen works on after Close. The end of the test closes it.
func staysOpen(b *broken, _ *memory.Store) {
	b.close = func() error { return nil }
}

// failsTwice does not like to be closed again.
func failsTwice(b *broken, _ *memory.Store) {
	var closed atomic.Bool
	b.close = func() error {
		if closed.Swap(true) {
			return store.ErrClosed
		}
		return b.Store.Close()
	}
}

// closesAll takes the connections of all clients with it.
func closesAll(b *broken, shared *memory.Store) {
	b.close = func() error {
		if err := shared.Close(); err != nil {
			return err
		}
		return b.Store.Close()
	}
}

// readsItsOwnWrites finds what this client has written, whatever others did.
func readsItsOwnWrites(b *broken, _ *memory.Store) {
	var mu sync.Mutex
	own := make(map[string]*store.KVPair)
	b.get = func(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
		mu.Lock()
		defer mu.Unlock()
		if own[key] != nil {
			return own[key], ctx.Err()
		}
		return b.Store.Get(ctx, key, opts)
	}
	b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
		mu.Lock()
		defer mu.Unlock()
		ok, pair, err := b.Store.AtomicPut(ctx, key, value, previous, opts)
		if ok {
			own[key] = pair
		}
		return ok, pair, err
	}
}

// findsMissingKeys returns an empty pair for a key that is missing.
func findsMissingKeys(b *broken, _ *memory.Store) {
	b.get = func(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
		pair, err := b.Store.Get(ctx, key, opts)
		if errors.Is(err, store.ErrKeyNotFound) {
			return &store.KVPair{Key: key}, nil
		}
		return pair, err
	}
}

// namesKeysAnew returns pairs under the name that the server has for the key.
func namesKeysAnew(b *broken, _ *memory.Store) {
	b.get = func(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
		pair, err := b.Store.Get(ctx, key, opts)
		if pair != nil {
			pair.Key = "/root/" + key
		}
		return pair, err
	}
}

// listsAPage lists a hundred keys at most.
var listsAPage = lists(func(_ context.Context, _ *broken, _ string, pairs []*store.KVPair) []*store.KVPair {
	return pairs[:min(100, len(pairs))]
})

// listsKeys lists keys with empty values.
var listsKeys = lists(func(_ context.Context, _ *broken, _ string, pairs []*store.KVPair) []*store.KVPair {
	for _, pair := range pairs {
		pair.Value = []byte{}
	}
	return pairs
})

// listsPatterns takes the directory for a pattern.
func listsPatterns(b *broken, _ *memory.Store) {
	b.list = func(ctx context.Context, directory string, opts *store.ReadOptions) ([]*store.KVPair, error) {
		all, err := b.Store.List(ctx, directory[:min(len(directory), 20)], opts)
		if err != nil {
			return nil, err
		}
		pattern := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(directory), "%", ".*"))
		var pairs []*store.KVPair
		for _, pair := range all {
			if pair.Key != directory && pattern.MatchString(pair.Key) {
				pairs = append(pairs, pair)
			}
		}
		if len(pairs) == 0 {
			return nil, store.ErrKeyNotFound
		}
		return pairs, nil
	}
}

func cleanPath(key string) string {
	if key == "" {
		return ""
	}
	return path.Clean(key)
}

func asciiOnly(key string) string {
	return strings.Map(func(r rune) rune {
		if r > 127 {
			return '?'
		}
		return r
	}, key)
}

func unescape(key string) string {
	if plain, err := url.QueryUnescape(key); err == nil {
		return plain
	}
	return key
}

func cString(value []byte) []byte {
	before, _, _ := bytes.Cut(value, []byte{0})
	return before
}

func compactJSON(value []byte) []byte {
	var compact bytes.Buffer
	if json.Compact(&compact, value) != nil {
		return value
	}
	return compact.Bytes()
}
