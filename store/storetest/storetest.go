// Package storetest is the conformance suite of a store.Store: whoever writes
// one holds it to the contract that elections rest on.
//
//	func TestConformance(t *testing.T) {
//		storetest.Run(t, func(t testing.TB) store.Store { ... }, storetest.Capabilities{
//			TTL: time.Millisecond,
//		})
//	}
package storetest

import (
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// Capabilities say what a store can do beyond the least that is asked of it,
// and how the suite gets at what lies between it and its server. The zero value
// is a store that deletes no key by itself and whose server cannot be reached.
type Capabilities struct {
	// TTL is the shortest TTL of AtomicPut that the store keeps to, or 0 where
	// it can't delete a key by itself: ErrTTLNotSupported is wanted then. It
	// is also wanted for a TTL below this.
	TTL time.Duration

	// Expiry is how late after its TTL a key may be deleted. The default is a
	// second.
	Expiry time.Duration

	// IndexRestarts says that the index of a key may come back after the key
	// has been deleted.
	IndexRestarts bool

	// Server is what runs the store, for tests that kill or halt it; they are
	// left out where it is nil.
	Server Server

	// Cut cuts the connections of all clients, in the middle of their calls.
	// New connections can be made right after. nil where there are none.
	Cut func()

	// Excused names tests that the store is known to fail, such as
	// "Watch/DeleteIsSeen", each with the reason. They are run, and what they
	// find is told and does not fail the suite.
	Excused map[string]string
}

// Server is a store's server, as a test treats it. Its methods return when what
// they say is the case.
type Server interface {
	Stop()   // kills it; acknowledged writes survive
	Start()  // brings it back, at the same address
	Freeze() // halts it: connections stand, nothing is answered
	Thaw()   // lets it go on
}

// Run runs the suite. open connects another client to the store, whose keys
// need not be gone from an earlier call; the suite closes it.
func Run(t *testing.T, open func(t testing.TB) store.Store, can Capabilities) {
}
