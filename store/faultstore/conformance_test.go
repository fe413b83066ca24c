package faultstore_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/storetest"
)

func TestConformance(t *testing.T) {
	server := &memoryServer{}
	defer server.kv.Close()
	storetest.Run(t, server.open, storetest.Capabilities{
		TTL:    time.Nanosecond,
		Expiry: 100 * time.Millisecond, // for a busy machine
		Server: server,
		Cut:    server.cut,
	})
}

// cut ends all watches, and of the next calls of each client most go wrong:
// before they take effect, or after.
func (s *memoryServer) cut() {
	const next = 8
	rates := faultstore.Rates{Fail: 0.3, LoseReply: 0.4, After: 1, MaxDelay: time.Millisecond}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, link := range s.links {
		var calls atomic.Int64
		faults := faultstore.Random(uint64(i), rates)
		link.KillWatches()
		link.SetPlan(func(c faultstore.Call) faultstore.Fault {
			if calls.Add(1) > next {
				return faultstore.Fault{}
			}
			return faults(c)
		})
	}
}
