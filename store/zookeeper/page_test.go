package zookeeper_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/pagetest"
)

func TestValuesThatAreNotWantedAreNotRead(t *testing.T) {
	var p tap
	kv := storeOn(t, p.connect(t, servers.Shared(t, "zookeeper").Addr, 10*time.Second))
	directory := fmt.Sprint("pages/", rand.Uint64(), "/")
	const n = 200
	for i := range n {
		create(t, kv, fmt.Sprint(directory, i/10, "/", i), fmt.Sprintf("%0150d", i)) // beneath nodes without a value
	}
	pagetest.Check(t, kv, directory, n, 1)

	// An empty value is one, and that of a deleted key is none.
	create(t, kv, directory+"empty", "")
	if _, err := kv.AtomicDelete(t.Context(), directory+"deleted", create(t, kv, directory+"deleted", "value")); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	p.sent = nil
	p.mu.Unlock()
	pairs, next, err := store.Page(t.Context(), kv, directory, "", func(key string) bool { return key == directory+"3/33" })
	if err != nil || next != "" || len(pairs) != n+1 {
		t.Errorf("%d pairs, %q, %v; want %d", len(pairs), next, err, n+1)
	}
	reads := 0
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, op := range p.sent {
		if op == opGetData {
			reads++
		}
	}
	// The wanted one, and the 20 nodes without a value, the empty one and the deleted one.
	if reads != 1+20+2 {
		t.Errorf("%d nodes were read", reads)
	}
}
