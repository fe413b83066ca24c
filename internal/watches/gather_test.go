package watches

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// many is a store whose reads of many keys are counted, and may fail or not return.
type many struct {
	*memory.Store
	calls, keys atomic.Int64
	err         error
	stuck       bool
}

func (m *many) GetMany(ctx context.Context, keys []string) ([]*store.KVPair, error) {
	m.calls.Add(1)
	m.keys.Add(int64(len(keys)))
	if m.stuck {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if m.err != nil {
		return nil, m.err
	}
	return m.Store.GetMany(ctx, keys)
}

// withMany calls test with watches of n keys of kv.
func withMany(t *testing.T, kv store.Store, n int, test func(t *testing.T, all []*Watch)) {
	synctest.Test(t, func(t *testing.T) {
		all := make([]*Watch, n)
		for i := range all {
			all[i] = Open(t.Context(), kv, fmt.Sprint("key/", i), second, silent)
		}
		synctest.Wait()
		test(t, all)
		for _, w := range all {
			<-w.Close()
		}
	})
}

func TestLooksAtManyKeysAreMadeByOneCall(t *testing.T) {
	kv := &many{Store: memory.New()}
	view := store.WithPrefix(kv, "below/")
	withMany(t, view, 100, func(t *testing.T, all []*Watch) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for i := range all {
			if i%2 == 0 {
				if _, _, err := view.AtomicPut(ctx, fmt.Sprint("key/", i), fmt.Append(nil, i), nil, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		var looks sync.WaitGroup
		for i, w := range all {
			looks.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				key := fmt.Sprint("key/", i)
				pair, ok := w.Gather(ctx, view, key, time.Second, nil)
				switch {
				case !ok:
					t.Errorf("%s was not read", key)
				case (pair == nil) != (i%2 == 1):
					t.Errorf("%s: %v", key, pair)
				case pair != nil && (pair.Key != key || string(pair.Value) != fmt.Sprint(i)):
					t.Errorf("%s: found %s = %s", key, pair.Key, pair.Value)
				}
			})
		}
		looks.Wait()
		if calls, keys := kv.calls.Load(), kv.keys.Load(); calls != 1 || keys != 100 {
			t.Errorf("%d calls for %d keys", calls, keys)
		}
	})
}

func TestLooksAtFewKeysAreNotGathered(t *testing.T) {
	kv := &many{Store: memory.New()}
	withMany(t, kv, Many-1, func(t *testing.T, all []*Watch) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, ok := all[0].Gather(ctx, kv, "key/0", time.Second, nil); ok || kv.calls.Load() > 0 {
			t.Error("it was gathered")
		}
	})
}

func TestNothingIsGatheredByACallThatFails(t *testing.T) {
	kv := &many{Store: memory.New(), err: errors.New("one key holds a list")}
	withMany(t, kv, Many, func(t *testing.T, all []*Watch) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, ok := all[0].Gather(ctx, kv, "key/0", time.Second, nil); ok {
			t.Error("it is said to be read")
		}
	})
}

func TestGatheringEndsWhenAllHaveLeft(t *testing.T) {
	for _, at := range []time.Duration{second() / 2, 2 * second()} { // before the call, and during it
		kv := &many{Store: memory.New(), stuck: true}
		withMany(t, kv, Many, func(t *testing.T, all []*Watch) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			var looks sync.WaitGroup
			for i, w := range all {
				looks.Go(func() {
					if _, ok := w.Gather(ctx, kv, fmt.Sprint("key/", i), second(), nil); ok {
						t.Error("it is said to be read")
					}
				})
			}
			time.Sleep(at)
			cancel()
			looks.Wait()
			time.Sleep(time.Minute) // nothing begins later
			if calls := kv.calls.Load(); calls > 1 || calls == 1 && at < second() {
				t.Errorf("%d calls", calls)
			}
		})
	}
}

func TestGatheringIsLeftByOneInAHurry(t *testing.T) {
	kv := &many{Store: memory.New(), stuck: true}
	withMany(t, kv, Many, func(t *testing.T, all []*Watch) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		hurry := make(chan struct{})
		close(hurry)
		began := time.Now()
		if _, ok := all[0].Gather(ctx, kv, "key/0", second(), hurry); ok || time.Since(began) > 0 {
			t.Errorf("it is left after %v", time.Since(began))
		}
	})
}
