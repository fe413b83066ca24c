// Package crowdtest tests stores with many readers at once.
package crowdtest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// Check wants a write to take its usual time while many clients read and list, all over a
// connection on which each answer takes trip.
func Check(t *testing.T, kv store.Store, trip time.Duration) {
	t.Helper()
	_, pair, err := kv.AtomicPut(t.Context(), "crowd/leader", []byte("first"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	defer readers.Wait()
	defer cancel()
	for i := range 500 {
		readers.Go(func() {
			for ctx.Err() == nil {
				if i%10 == 0 {
					_, _ = kv.List(ctx, "crowd/", nil)
				} else {
					_, _ = kv.Get(ctx, "crowd/leader", nil)
				}
			}
		})
	}
	time.Sleep(4 * trip) // all are under way
	for i := range 5 {
		began := time.Now()
		if _, pair, err = kv.AtomicPut(t.Context(), "crowd/leader", fmt.Append(nil, i), pair, nil); err != nil {
			t.Fatal(err)
		}
		most := 4 * trip
		if i == 0 {
			most = 10 * trip // a connection may have to be made
		}
		if took := time.Since(began); took > most {
			t.Errorf("a write takes %v beside readers, with answers that take %v", took, trip)
		}
	}
}
