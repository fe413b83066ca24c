package storetest_test

import (
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
	"github.com/seed-a1d591d3/leadership/store/storetest"
)

// The test of a store: in your own it is a function of its own.
func ExampleRun() {
	TestStore := func(t *testing.T) {
		shared := memory.New() // what all clients share; your store's server
		storetest.Run(t, func(testing.TB) store.Store {
			return client{shared}
		}, storetest.Capabilities{TTL: time.Millisecond})
	}
	_ = TestStore
}

// client is one of a store that is not closed with it.
type client struct{ *memory.Store }

func (client) Close() error { return nil }

// A store with a server, whose indexes begin anew when a key was deleted.
func ExampleCapabilities() {
	TestStore := func(t *testing.T, open func(t testing.TB) store.Store, server storetest.Server, cut func()) {
		storetest.Run(t, open, storetest.Capabilities{
			IndexRestarts: true,
			Server:        server, // killed, stopped and let go on
			Cut:           cut,
			Excused:       map[string]string{"Watch/DeleteIsTold": "the server does not tell"},
		})
	}
	_ = TestStore
}

// A server that the suite may kill.
func ExampleServer() {
	var _ storetest.Server = server{}
}

// server would signal its process in each of these.
type server struct{}

func (server) Stop()   {}
func (server) Start()  {}
func (server) Freeze() {}
func (server) Thaw()   {}
