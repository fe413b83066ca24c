package consul_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

// TestWatchesLeaveConnectionsForCalls: a program that watches by several stores around
// this one has more watches than elections would open.
func TestWatchesLeaveConnectionsForCalls(t *testing.T) {
	server := servers.Plain(t, "consul")
	kv, err := openURL(t, "consul://"+server.Addr+"/places")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const watches = 2*store.DefaultMaxWatches + 8
	var told []<-chan *store.KVPair
	for i := range watches {
		pairs, err := kv.Watch(ctx, fmt.Sprint("key-", i), nil)
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, pairs)
	}
	time.Sleep(time.Second)
	call, done := context.WithTimeout(ctx, 5*time.Second)
	defer done()
	began := time.Now()
	if _, err := kv.Get(call, "other", nil); !errors.Is(err, store.ErrKeyNotFound) {
		t.Fatalf("a read beside %d watches: %v after %v", watches, err, time.Since(began))
	}
	done()
	// And each is told of a change.
	for i := range told {
		if _, _, err := kv.AtomicPut(t.Context(), fmt.Sprint("key-", i), []byte("x"), nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	late := time.After(10 * time.Second)
	for i, pairs := range told {
		for seen := false; !seen; {
			select {
			case pair := <-pairs:
				seen = pair != nil && pair.Value != nil
			case <-late:
				t.Fatalf("watch %d of %d is silent", i, watches)
			}
		}
	}
}
