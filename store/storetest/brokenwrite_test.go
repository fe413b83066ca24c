package storetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// The breakages of AtomicPut.

func acceptsStale(b *broken, _ *memory.Store) {
	b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
		ok, pair, err := b.Store.AtomicPut(ctx, key, value, previous, opts)
		for errors.Is(err, store.ErrKeyModified) {
			if previous, err = b.Store.Get(ctx, key, nil); err == nil {
				ok, pair, err = b.Store.AtomicPut(ctx, key, value, previous, opts)
			}
		}
		return ok, pair, err
	}
}

func createsOverExisting(b *broken, shared *memory.Store) {
	b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
		ok, pair, err := b.Store.AtomicPut(ctx, key, value, previous, opts)
		if errors.Is(err, store.ErrKeyExists) {
			return overwrite(ctx, shared, key, value, opts)
		}
		return ok, pair, err
	}
}

// overwrite writes whatever is there.
func overwrite(ctx context.Context, shared *memory.Store, key string, value []byte, opts *store.WriteOptions) (bool, *store.KVPair, error) {
	if err := shared.Put(ctx, key, value, opts); err != nil {
		return false, nil, err
	}
	pair, err := shared.Get(ctx, key, nil)
	return err == nil, pair, err
}

// createsWhatIsGone takes a write over a key that is gone for a create.
func createsWhatIsGone(b *broken, shared *memory.Store) {
	b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
		ok, pair, err := b.Store.AtomicPut(ctx, key, value, previous, opts)
		if errors.Is(err, store.ErrKeyNotFound) {
			return overwrite(ctx, shared, key, value, opts)
		}
		return ok, pair, err
	}
}

// createsFromZero takes a previous pair with index 0 for none.
func createsFromZero(b *broken, _ *memory.Store) {
	b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
		if previous != nil && previous.LastIndex == 0 {
			previous = nil
		}
		return b.Store.AtomicPut(ctx, key, value, previous, opts)
	}
}

// writesNothing reports success and writes nothing.
func writesNothing(b *broken, _ *memory.Store) {
	b.put = func(_ context.Context, key string, value []byte, _ *store.KVPair, _ *store.WriteOptions) (bool, *store.KVPair, error) {
		return true, &store.KVPair{Key: key, Value: value, LastIndex: 1}, nil
	}
}

// comparesValues compares what a key holds in place of its index.
func comparesValues(b *broken, shared *memory.Store) {
	b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
		if now, err := b.Store.Get(ctx, key, nil); err == nil && previous != nil && string(now.Value) == string(previous.Value) {
			return b.Store.AtomicPut(ctx, key, value, now, opts)
		}
		return b.Store.AtomicPut(ctx, key, value, previous, opts)
	}
}

// writesWhatItRefuses refuses a write over something newer, and makes it.
func writesWhatItRefuses(b *broken, shared *memory.Store) {
	b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
		ok, pair, err := b.Store.AtomicPut(ctx, key, value, previous, opts)
		if errors.Is(err, store.ErrKeyModified) {
			_, _, _ = overwrite(ctx, shared, key, value, opts)
		}
		return ok, pair, err
	}
}

// returnsAnotherIndex returns an index that no read finds.
func returnsAnotherIndex(b *broken, _ *memory.Store) {
	b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
		ok, pair, err := b.Store.AtomicPut(ctx, key, value, previous, opts)
		if pair != nil {
			pair.LastIndex++
		}
		return ok, pair, err
	}
}

// losesUpdates compares first and writes afterwards.
func losesUpdates(b *broken, shared *memory.Store) {
	b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
		now, err := b.Store.Get(ctx, key, nil)
		if previous != nil && (err != nil || now.LastIndex != previous.LastIndex) || previous == nil && err == nil || opts != nil && opts.TTL < 0 {
			return b.Store.AtomicPut(ctx, key, value, previous, opts)
		}
		time.Sleep(time.Millisecond)
		return overwrite(ctx, shared, key, value, opts)
	}
}

// losesWrites forgets some of the writes that it acknowledged.
func losesWrites(b *broken, shared *memory.Store) {
	lost := every(5)
	b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
		ok, pair, err := b.Store.AtomicPut(ctx, key, value, previous, opts)
		if ok && lost() {
			_, _ = shared.AtomicDelete(ctx, key, pair)
		}
		return ok, pair, err
	}
}

// retries sends a write again whose reply was lost, and believes the answer to
// the second.
func retries(b *broken, _ *memory.Store) {
	lost := every(5)
	b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
		ok, pair, err := b.Store.AtomicPut(ctx, key, value, previous, opts)
		if ok && lost() {
			return b.Store.AtomicPut(ctx, key, value, previous, opts)
		}
		return ok, pair, err
	}
}

// keepsTheCallersBytes stores the slice that it was given.
func keepsTheCallersBytes(b *broken, shared *memory.Store) {
	var mu sync.Mutex
	kept := make(map[string][]byte)
	b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
		mu.Lock()
		defer mu.Unlock()
		kept[key] = value
		return b.Store.AtomicPut(ctx, key, value, previous, opts)
	}
	b.get = func(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
		mu.Lock()
		defer mu.Unlock()
		pair, err := b.Store.Get(ctx, key, opts)
		if pair != nil && kept[key] != nil {
			pair.Value = kept[key]
		}
		return pair, err
	}
}

// comparesIndexesAlone takes any value of a previous pair for the one that is there.
func comparesIndexesAlone(b *broken, _ *memory.Store) {
	present := func(ctx context.Context, key string, previous *store.KVPair) *store.KVPair {
		now, err := b.Store.Get(ctx, key, nil)
		if err == nil && previous != nil && now.LastIndex == previous.LastIndex {
			return now
		}
		return previous
	}
	b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
		return b.Store.AtomicPut(ctx, key, value, present(ctx, key, previous), opts)
	}
	b.delete = func(ctx context.Context, key string, previous *store.KVPair) (bool, error) {
		return b.Store.AtomicDelete(ctx, key, present(ctx, key, previous))
	}
}

// The breakages of AtomicDelete.

func deletesStale(b *broken, shared *memory.Store) {
	b.delete = func(ctx context.Context, key string, previous *store.KVPair) (bool, error) {
		ok, err := b.Store.AtomicDelete(ctx, key, previous)
		if errors.Is(err, store.ErrKeyModified) {
			return true, shared.Delete(ctx, key)
		}
		return ok, err
	}
}

func deletesNothing(b *broken, _ *memory.Store) {
	b.delete = func(ctx context.Context, key string, previous *store.KVPair) (bool, error) {
		if previous == nil {
			return b.Store.AtomicDelete(ctx, key, previous)
		}
		return true, nil
	}
}

func deletesAnything(b *broken, shared *memory.Store) {
	b.delete = func(ctx context.Context, key string, previous *store.KVPair) (bool, error) {
		if previous == nil {
			return true, shared.Delete(ctx, key)
		}
		return b.Store.AtomicDelete(ctx, key, previous)
	}
}

func deletesWhatIsGone(b *broken, _ *memory.Store) {
	b.delete = func(ctx context.Context, key string, previous *store.KVPair) (bool, error) {
		ok, err := b.Store.AtomicDelete(ctx, key, previous)
		if errors.Is(err, store.ErrKeyNotFound) {
			return true, nil
		}
		return ok, err
	}
}

// The breakages of indexes.

// restartsIndexes counts the versions of a key from 1 each time it is created.
func restartsIndexes(b *broken, shared *memory.Store) {
	b.get = func(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
		pair, err := b.Store.Get(ctx, key, opts)
		return versions.out(pair), err
	}
	b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
		versions.Lock()
		defer versions.Unlock()
		ok, pair, err := b.Store.AtomicPut(ctx, key, value, versions.in(previous), opts)
		if ok {
			versions.note(pair, previous == nil)
		}
		return ok, versions.outLocked(pair), err
	}
	b.delete = func(ctx context.Context, key string, previous *store.KVPair) (bool, error) {
		versions.Lock()
		defer versions.Unlock()
		return b.Store.AtomicDelete(ctx, key, versions.in(previous))
	}
}

// versions are what restartsIndexes shows in place of indexes.
var versions = versionMap{now: map[string]uint64{}, index: map[string]uint64{}, of: map[uint64]uint64{}}

type versionMap struct {
	sync.Mutex
	now   map[string]uint64 // version by key
	index map[string]uint64 // the store's own index, by key
	of    map[uint64]uint64 // version by the store's own index
}

func (v *versionMap) note(pair *store.KVPair, created bool) {
	if created {
		v.now[pair.Key] = 0
	}
	v.now[pair.Key]++
	v.index[pair.Key] = pair.LastIndex
	v.of[pair.LastIndex] = v.now[pair.Key]
}

func (v *versionMap) in(previous *store.KVPair) *store.KVPair {
	if previous == nil {
		return nil
	}
	own := &store.KVPair{Key: previous.Key, Value: previous.Value}
	if previous.LastIndex == v.now[previous.Key] {
		own.LastIndex = v.index[previous.Key]
	}
	return own
}

func (v *versionMap) out(pair *store.KVPair) *store.KVPair {
	v.Lock()
	defer v.Unlock()
	return v.outLocked(pair)
}

func (v *versionMap) outLocked(pair *store.KVPair) *store.KVPair {
	if pair != nil {
		pair.LastIndex = v.of[pair.LastIndex]
	}
	return pair
}

// skipsEqualWrites does not write what is there already.
func skipsEqualWrites(b *broken, _ *memory.Store) {
	b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
		now, err := b.Store.Get(ctx, key, nil)
		if err == nil && previous != nil && now.LastIndex == previous.LastIndex && string(now.Value) == string(value) {
			return true, now, nil
		}
		return b.Store.AtomicPut(ctx, key, value, previous, opts)
	}
}

// The breakages of TTLs.

// mapsTTL keeps to other TTLs.
func mapsTTL(f func(time.Duration) time.Duration) breakage {
	return func(b *broken, _ *memory.Store) {
		b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
			if opts != nil && opts.TTL != 0 {
				opts = &store.WriteOptions{TTL: f(opts.TTL)}
			}
			return b.Store.AtomicPut(ctx, key, value, previous, opts)
		}
	}
}

// keepsTheFirstTTL ignores the TTL of a key that is there.
func keepsTheFirstTTL(b *broken, _ *memory.Store) {
	var mu sync.Mutex
	ends := make(map[string]time.Time)
	b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
		mu.Lock()
		defer mu.Unlock()
		switch end := ends[key]; {
		case opts == nil || opts.TTL < 0:
		case previous == nil:
			ends[key] = time.Time{}
			if opts.TTL > 0 {
				ends[key] = time.Now().Add(opts.TTL)
			}
		case end.IsZero():
			opts = nil
		default:
			opts = &store.WriteOptions{TTL: max(1, time.Until(end))}
		}
		return b.Store.AtomicPut(ctx, key, value, previous, opts)
	}
}

// writesAndRefusesTTLs writes, and returns ErrTTLNotSupported.
func writesAndRefusesTTLs(b *broken, _ *memory.Store) {
	b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
		if opts != nil && opts.TTL > 0 {
			_, _, _ = b.Store.AtomicPut(ctx, key, value, previous, nil)
			return false, nil, store.ErrTTLNotSupported
		}
		return b.Store.AtomicPut(ctx, key, value, previous, opts)
	}
}

// refusesTTLs and refusesShortTTLs break nothing: they are stores that can do
// less.
func refusesTTLs(b *broken, _ *memory.Store) { refusesBelow(b, time.Duration(1<<63-1)) }

func refusesShortTTLs(b *broken, _ *memory.Store) { refusesBelow(b, seconds.TTL) }

func refusesBelow(b *broken, least time.Duration) {
	b.put = func(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
		if opts != nil && opts.TTL > 0 && opts.TTL < least {
			return false, nil, store.ErrTTLNotSupported
		}
		return b.Store.AtomicPut(ctx, key, value, previous, opts)
	}
}
