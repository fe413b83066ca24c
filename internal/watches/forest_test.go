package watches

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// forest is a store whose watches are counted, and may be refused, cut, or carry keys only.
type forest struct {
	*memory.Store
	keysOnly, refuse, down bool
	slow                   time.Duration // how long a read takes
	lag                    time.Duration // how long a hint takes
	poison                 string        // a key that cannot be read
	format                 string        // of the keys, "service/%05d" if empty
	forbidden              string        // a directory that nobody may watch
	own                    atomic.Int64  // watches of one key that are open

	mu           sync.Mutex
	trees, calls int // watches of directories that are open; calls of GetMany
	opened, read int // watches of directories that were opened; keys that were read
	cut          context.CancelFunc
}

func (f *forest) Watch(ctx context.Context, key string, opts *store.ReadOptions) (<-chan *store.KVPair, error) {
	pairs, err := f.Store.Watch(ctx, key, opts)
	if err == nil {
		f.own.Add(1)
		context.AfterFunc(ctx, func() { f.own.Add(-1) })
	}
	return pairs, err
}

func (f *forest) HintsBelow(ctx context.Context, directory string) (<-chan *store.KVPair, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opened++
	switch {
	case f.refuse, f.forbidden == directory:
		return nil, fmt.Errorf("no right: %w", store.ErrCallNotSupported)
	case f.down:
		return nil, store.ErrNotReachable
	}
	ctx, f.cut = context.WithCancel(ctx)
	in, err := f.Store.HintsBelow(ctx, directory)
	if err != nil {
		return nil, err
	}
	f.trees++
	out := make(chan *store.KVPair)
	go func() {
		defer func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.trees--
			close(out)
		}()
		for pair := range in {
			if f.keysOnly {
				pair = &store.KVPair{Key: pair.Key}
			}
			f.mu.Lock()
			lag := f.lag
			f.mu.Unlock()
			time.Sleep(lag)
			select {
			case out <- pair:
			case <-ctx.Done():
			}
		}
	}()
	return out, nil
}

func (f *forest) GetMany(ctx context.Context, keys []string) ([]*store.KVPair, error) {
	f.mu.Lock()
	f.calls++
	f.read += len(keys)
	slow, poison, down := f.slow, f.poison, f.down
	f.mu.Unlock()
	pairs, err := f.Store.GetMany(ctx, keys)
	time.Sleep(slow) // the answer may be old when it comes
	for _, key := range keys {
		if down || poison != "" && strings.HasSuffix(key, poison) {
			return nil, errors.New("it cannot be read")
		}
	}
	return pairs, err
}

// counts returns what is counted, and begins to count calls and keys anew.
func (f *forest) counts() (trees, opened, own, calls, read int) {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	calls, read = f.calls, f.read
	f.calls, f.read = 0, 0
	return f.trees, f.opened, int(f.own.Load()), calls, read
}

func (f *forest) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// crowd is the watches of the first keys of a directory.
type crowd struct {
	*testing.T
	kv  *forest
	all []*Watch

	mu    sync.Mutex
	shown [][]string // the values that each was shown, "" for none
}

func (f *forest) key(i int) string { return fmt.Sprintf(cmp.Or(f.format, "service/%05d"), i) }

// withCrowd calls test with watches of n keys of kv, which have been told what they are when
// they are opened.
func withCrowd(t *testing.T, kv *forest, n int, test func(c *crowd)) {
	synctest.Test(t, func(t *testing.T) {
		kv.Store = memory.New()
		defer kv.Close()
		c := &crowd{T: t, kv: kv}
		for range n {
			c.open()
		}
		time.Sleep(2 * second())
		c.take()
		kv.counts()
		test(c)
		for _, w := range c.all {
			<-w.Close()
		}
		synctest.Wait()
		if trees, _, own, _, _ := kv.counts(); trees+own > 0 {
			t.Errorf("%d watches of directories and %d of keys are left", trees, own)
		}
		if len(pools) > 0 {
			t.Errorf("%d stores are remembered", len(pools))
		}
	})
}

// open watches another key.
func (c *crowd) open() {
	i := len(c.all)
	key := c.kv.key(i)
	c.mu.Lock()
	c.shown = append(c.shown, nil)
	c.mu.Unlock()
	c.all = append(c.all, Open(c.Context(), c.kv, key, second, func(s *Shown) {
		c.mu.Lock()
		defer c.mu.Unlock()
		value := ""
		if s.Pair != nil {
			value = string(s.Pair.Value)
			if s.Pair.Key != key {
				c.Errorf("%s was shown %s", key, s.Pair.Key)
			}
		}
		c.shown[i] = append(c.shown[i], value)
	}))
}

// take returns what was shown since the last take, and to how many.
func (c *crowd) take() (shown map[int]string) {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	shown = make(map[int]string)
	for i, values := range c.shown {
		if len(values) > 0 {
			shown[i] = strings.Join(values, " ")
		}
		c.shown[i] = nil
	}
	return shown
}

func (c *crowd) want(want string) {
	c.Helper()
	if shown := fmt.Sprint(c.take()); shown != want {
		c.Errorf("shown: %.200s, want %s", shown, want)
	}
}

func (c *crowd) put(i int, value string) {
	c.Helper()
	if err := c.kv.Put(c.Context(), c.kv.key(i), []byte(value), nil); err != nil {
		c.Fatal(err)
	}
}
