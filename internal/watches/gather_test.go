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

type reader func(pair *store.KVPair, err error)

func (r reader) Told(pair *store.KVPair, err error) { r(pair, err) }

// gather is a Gather that is waited for. An error is why nothing was read.
func gather(w *Watch, kv store.Store, key string, within time.Duration) (pair *store.KVPair, err error) {
	done := make(chan struct{})
	if _, ok := w.Gather(context.Background(), kv, key, within, time.Minute, reader(func(found *store.KVPair, failed error) {
		pair, err = found, failed
		close(done)
	})); !ok {
		return nil, errAlone
	}
	<-done
	return pair, err
}

var errAlone = errors.New("it is not gathered")

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
				pair, err := gather(w, view, key, time.Second)
				switch {
				case err != nil:
					t.Errorf("%s: %v", key, err)
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
		if _, err := gather(all[0], kv, "key/0", time.Second); !errors.Is(err, errAlone) || kv.calls.Load() > 0 {
			t.Error(err)
		}
	})
}

func TestNothingIsGatheredByACallThatFails(t *testing.T) {
	kv := &many{Store: memory.New(), err: errors.New("one key holds a list")}
	withMany(t, kv, Many, func(t *testing.T, all []*Watch) {
		if _, err := gather(all[0], kv, "key/0", time.Second); err == nil || errors.Is(err, errAlone) {
			t.Error(err)
		}
	})
}

func TestGatheringEndsWhenAllHaveLeft(t *testing.T) {
	for _, at := range []time.Duration{second() / 2, 2 * second()} { // before the call, and during it
		kv := &many{Store: memory.New(), stuck: true}
		withMany(t, kv, Many, func(t *testing.T, all []*Watch) {
			var members []Member
			for i, w := range all {
				member, ok := w.Gather(t.Context(), kv, fmt.Sprint("key/", i), second(), time.Hour, reader(func(*store.KVPair, error) { t.Error("it is told") }))
				if !ok {
					t.Fatal("it is not gathered")
				}
				members = append(members, member)
			}
			time.Sleep(at)
			for _, m := range members {
				if !m.Leave() || m.Leave() {
					t.Error("it cannot leave once")
				}
			}
			time.Sleep(time.Minute) // nothing begins later
			if calls := kv.calls.Load(); calls > 1 || calls == 1 && at < second() {
				t.Errorf("%d calls", calls)
			}
		})
	}
}

func TestOneThatLeavesAGatheringKeepsTheOthersInIt(t *testing.T) {
	kv := &many{Store: memory.New()}
	withMany(t, kv, Many, func(t *testing.T, all []*Watch) {
		leaver, _ := all[0].Gather(t.Context(), kv, "key/0", second(), time.Minute, reader(func(*store.KVPair, error) { t.Error("it is told") }))
		var told atomic.Bool
		other, _ := all[1].Gather(t.Context(), kv, "key/1", second(), time.Minute, reader(func(_ *store.KVPair, err error) { told.Store(err == nil) }))
		if !leaver.Leave() {
			t.Error("it has not left")
		}
		time.Sleep(2 * second())
		if !told.Load() || other.Leave() {
			t.Errorf("the other is told: %v", told.Load())
		}
	})
}

func TestGatheringIsGivenUpAfterItsLimit(t *testing.T) {
	kv := &many{Store: memory.New(), stuck: true}
	withMany(t, kv, Many, func(t *testing.T, all []*Watch) {
		began := time.Now()
		_, err := gather(all[0], kv, "key/0", second())
		if d := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || d != time.Minute {
			t.Errorf("%v after %v", err, d)
		}
	})
}

func TestLooksThatMayTakeLongAreGatheredApart(t *testing.T) {
	kv := &many{Store: memory.New(), stuck: true}
	withMany(t, kv, Many, func(t *testing.T, all []*Watch) {
		began := time.Now()
		var took [2]atomic.Int64
		for i, limit := range []time.Duration{time.Second, time.Minute} {
			if _, ok := all[i].Gather(t.Context(), kv, fmt.Sprint("key/", i), limit/4, limit, reader(func(*store.KVPair, error) { took[i].Store(int64(time.Since(began))) })); !ok {
				t.Error("it is not gathered")
			}
		}
		time.Sleep(2 * time.Minute)
		if short, long := time.Duration(took[0].Load()), time.Duration(took[1].Load()); short != time.Second || long != time.Minute {
			t.Errorf("they are given up after %v and %v", short, long)
		}
	})
}
