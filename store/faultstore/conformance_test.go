package faultstore_test

import (
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store/storetest"
)

func TestConformance(t *testing.T) {
	server := &memoryServer{}
	storetest.Run(t, server.open, storetest.Capabilities{
		TTL:    time.Nanosecond,
		Expiry: 100 * time.Millisecond, // for a busy machine
		Server: server,
		Cut:    func() { server.Stop(); server.Start() },
	})
}
