package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

const writers = 8

var writerChecks = []check{
	{name: "NoUpdateIsLost", test: writersIncrement},
	{name: "OneCreateWins", test: writersCreate},
	{name: "OneDeleteWins", test: writersDelete},
}

// clients connects many clients.
func (tr *trial) clients(n int) []*client {
	tr.Helper()
	all := make([]*client, n)
	for i := range all {
		all[i] = tr.client()
	}
	return all
}

// atOnce runs f for all clients at once.
func atOnce(clients []*client, f func(i int, kv *client)) {
	var running sync.WaitGroup
	ready := make(chan struct{})
	for i, kv := range clients {
		running.Go(func() {
			<-ready
			f(i, kv)
		})
	}
	close(ready)
	running.Wait()
}

// writersIncrement: of writers that all add to one counter, none loses the addition of
// another.
func writersIncrement(tr *trial) {
	const each = 12
	clients := tr.clients(writers)
	clients[0].create(tr.base, "0")
	ctx := tr.Context()
	var mu sync.Mutex
	seen := make(map[uint64]bool)
	atOnce(clients, func(_ int, kv *client) {
		for range each {
			pair, err := kv.increment(ctx, tr.base)
			if err != nil {
				tr.Errorf("a writer failed: %v", err)
				return
			}
			mu.Lock()
			if seen[pair.LastIndex] {
				tr.Errorf("index %d was given twice", pair.LastIndex)
			}
			seen[pair.LastIndex] = true
			mu.Unlock()
		}
	})
	if got := string(clients[0].get(tr.base).Value); got != strconv.Itoa(writers*each) && !tr.Failed() {
		tr.Errorf("the counter is at %s after %d increments", got, writers*each)
	}
}

// increment adds one to the counter under key.
func (c *client) increment(ctx context.Context, key string) (*store.KVPair, error) {
	for {
		pair, err := c.Get(ctx, key, nil)
		if err != nil {
			return nil, err
		}
		n, err := strconv.Atoi(string(pair.Value))
		if err != nil {
			return nil, err
		}
		time.Sleep(rand.N(time.Millisecond)) // another may come between
		ok, written, err := c.AtomicPut(ctx, key, []byte(strconv.Itoa(n+1)), pair, nil)
		switch {
		case ok && err == nil && written != nil:
			return written, nil
		case !errors.Is(err, store.ErrKeyModified):
			return nil, fmt.Errorf("AtomicPut = %v, %w", ok, err)
		}
	}
}

// writersCreate: a key is created once, however many clients try.
func writersCreate(tr *trial) {
	clients := tr.clients(writers)
	for round := range 10 {
		key := fmt.Sprintf("%s/%d", tr.base, round)
		won := make([]*store.KVPair, writers)
		atOnce(clients, func(i int, kv *client) {
			ok, pair, err := kv.AtomicPut(tr.soon(), key, []byte(strconv.Itoa(i)), nil, nil)
			if ok {
				won[i] = pair
			} else if !errors.Is(err, store.ErrKeyExists) {
				tr.Errorf("a writer that lost: %v; want ErrKeyExists", err)
			}
		})
		tr.wantOne("created the key", won)
		for _, pair := range won {
			if pair != nil {
				clients[0].wantPair(pair)
			}
		}
	}
}

// writersDelete: of clients that delete or replace one state, exactly one succeeds.
func writersDelete(tr *trial) {
	clients := tr.clients(writers)
	for round := range 10 {
		pair := clients[0].create(fmt.Sprintf("%s/%d", tr.base, round), "a")
		won := make([]*store.KVPair, writers)
		atOnce(clients, func(i int, kv *client) {
			var ok bool
			var err error
			if i%2 == 0 {
				ok, err = kv.AtomicDelete(tr.soon(), pair.Key, pair)
			} else {
				ok, _, err = kv.AtomicPut(tr.soon(), pair.Key, []byte("b"), pair, nil)
			}
			if ok {
				won[i] = pair
			} else if !isAny(err, gone...) {
				tr.Errorf("a writer that lost: %v; want ErrKeyModified or ErrKeyNotFound", err)
			}
		})
		tr.wantOne("replaced or deleted the key", won)
	}
}

func (tr *trial) wantOne(did string, won []*store.KVPair) {
	tr.Helper()
	n := 0
	for _, pair := range won {
		if pair != nil {
			n++
		}
	}
	if n != 1 {
		tr.Fatalf("%d of %d writers %s", n, len(won), did)
	}
}
