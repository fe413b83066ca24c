package memory_test

import (
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/storetest"
)

func TestConformance(t *testing.T) {
	open := func(t testing.TB) store.Store {
		kv, err := store.Open(t.Context(), "memory://conformance")
		if err != nil {
			t.Fatal(err)
		}
		return kv
	}
	storetest.Run(t, open, storetest.Capabilities{
		TTL:    time.Nanosecond,
		Expiry: 100 * time.Millisecond, // for a busy machine
	})
}
