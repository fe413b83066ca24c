package watches

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-a1d591d3/leadership/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counting is a store whose watches are counted, and told what a test says.
type counting struct {
	store.Store
	linger time.Duration // how long a watch goes on after its context has ended

	refuse bool

	mu                 sync.Mutex
	open, most, opened int
	told               map[string]chan *store.KVPair
}

func (c *counting) Watch(ctx context.Context, key string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opened++
	if c.refuse {
		return nil, store.ErrKeyNotFound
	}
	c.open++
	c.most = max(c.most, c.open)
	pairs := make(chan *store.KVPair)
	if c.told == nil {
		c.told = make(map[string]chan *store.KVPair)
	}
	c.told[key] = pairs
	go func() {
		<-ctx.Done()
		time.Sleep(c.linger)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.open--
		close(pairs)
	}()
	return pairs, nil
}

func (c *counting) tell(key string) {
	c.mu.Lock()
	pairs := c.told[key]
	c.mu.Unlock()
	pairs <- &store.KVPair{Key: key}
}

func (c *counting) now() (open, most, opened int) {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open, c.most, c.opened
}

// bounded is one that says how many watches it stands.
type bounded struct {
	*counting
	limit int
}

func (b bounded) MaxWatches() int { return b.limit }

func second() time.Duration { return time.Second }

func silent(*Shown) {}

func open(t *testing.T, kv store.Store, key string) *Watch {
	return Open(t.Context(), kv, key, second, silent)
}

func TestKeyIsWatchedOnceWhoeverAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := new(counting)
		hints := make([]int, 3)
		views := []store.Store{kv, kv, store.WithPrefix(kv, "a/")}
		keys := []string{"a/key", "a/key", "key"}
		var all []*Watch
		for i := range hints {
			all = append(all, Open(t.Context(), views[i], keys[i], second, func(*Shown) { hints[i]++ }))
		}
		if open, _, _ := kv.now(); open != 1 {
			t.Fatalf("%d watches are open, want 1", open)
		}
		kv.tell("a/key")
		synctest.Wait()
		if fmt.Sprint(hints) != "[1 1 1]" {
			t.Errorf("hints: %v", hints)
		}
		<-all[0].Close()
		kv.tell("a/key")
		synctest.Wait()
		if fmt.Sprint(hints) != "[1 2 2]" {
			t.Errorf("hints after one has left: %v", hints)
		}
		<-all[1].Close()
		<-all[2].Close()
		<-all[2].Close()
		if open, _, opened := kv.now(); open != 0 || opened != 1 {
			t.Errorf("%d watches are open of %d", open, opened)
		}
		if len(pools) != 0 {
			t.Errorf("%d stores are remembered", len(pools))
		}
	})
}

func TestWatchesBeyondTheBoundWaitForRoom(t *testing.T) {
	for _, limit := range []int{store.DefaultMaxWatches, 3} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner := &counting{linger: time.Minute} // as adapters that end late
				var kv store.Store = inner
				if limit != store.DefaultMaxWatches {
					kv = bounded{inner, limit}
				}
				var all []*Watch
				for i := range 5 * limit {
					all = append(all, open(t, kv, fmt.Sprint(i)))
				}
				if open, _, _ := inner.now(); open != limit {
					t.Fatalf("%d watches are open, want %d", open, limit)
				}
				<-all[0].Close()
				<-all[4*limit].Close() // which was never opened
				if _, _, opened := inner.now(); opened != limit {
					t.Errorf("another was opened while the first had not ended")
				}
				time.Sleep(time.Minute + 1)
				if open, _, opened := inner.now(); open != limit || opened != limit+1 {
					t.Errorf("%d watches are open, and %d were opened", open, opened)
				}
				inner.mu.Lock()
				if inner.told[fmt.Sprint(limit)] == nil {
					t.Error("it is not who came next that got the room")
				}
				inner.mu.Unlock()
				for _, w := range all {
					<-w.Close()
				}
				time.Sleep(2 * time.Minute)
				if open, most, opened := inner.now(); open != 0 || most > limit || opened != limit+1 {
					t.Errorf("%d watches are open, %d were at most, of %d", open, most, opened)
				}
				if len(pools) != 0 {
					t.Errorf("%d stores are remembered", len(pools))
				}
			})
		})
	}
}

func TestWatchThatIsRefusedIsOpenedAgainAfterThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := &counting{refuse: true}
		slow := Open(t.Context(), kv, "key", func() time.Duration { return time.Hour }, silent)
		quick := open(t, kv, "key") // whose pause counts
		time.Sleep(time.Second * 17 / 16)
		if _, _, opened := kv.now(); opened != 2 {
			t.Errorf("opened %d times, want 2", opened)
		}
		time.Sleep(time.Second / 2)
		quick.Again()
		if _, _, opened := kv.now(); opened != 3 {
			t.Errorf("opened %d times, want 3", opened)
		}
		<-slow.Close()
		<-quick.Close()
	})
}

// opaque is a store that cannot be told from others of its type.
type opaque struct {
	*counting
	_ []int
}

func TestStoreThatCannotBeComparedIsBoundedByItsType(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, other := new(counting), new(counting)
		var all []*Watch
		for range store.DefaultMaxWatches {
			all = append(all, open(t, opaque{counting: one}, "key"), open(t, opaque{counting: other}, "key"))
		}
		a, _, _ := one.now()
		b, _, _ := other.now()
		if a+b != store.DefaultMaxWatches || a == 0 || b == 0 {
			t.Errorf("%d and %d watches are open, want %d together", a, b, store.DefaultMaxWatches)
		}
		for _, w := range all {
			<-w.Close()
		}
	})
}
