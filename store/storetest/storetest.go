// Package storetest is the conformance suite of a store.Store: whoever writes
// one holds it to the contract that elections rest on.
//
//	func TestConformance(t *testing.T) {
//		storetest.Run(t, func(t testing.TB) store.Store { ... }, storetest.Capabilities{
//			TTL: time.Millisecond,
//		})
//	}
//
// Its tests are subtests, such as "AtomicPut/StaleIsRefused", in these groups:
//
//	Get AtomicPut AtomicDelete List Close   the contract, method by method
//	TTL Context Watch Writers Keys Values   and by subject
//	Linearizable                            histories of many clients, by porcupine
//	Cut Restart Frozen                      with Capabilities.Cut and Server
//
// Each uses keys of its own, and leaves them behind. They run one after another,
// because many measure time, except for those of TTL, which mostly wait. One that
// has not ended in a minute fails.
//
// What the clients of Linearizable do is drawn from a seed, which is logged; set
// STORETEST_SEED to it to have them do the same again. In what order it reaches
// the store is chance all the same.
package storetest

import (
	"slices"
	"sync"
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

	// IndexAlone says that AtomicPut and AtomicDelete do not compare the value of
	// the previous pair, but its index alone: after a backup was restored, in
	// which indexes come back, a write may then replace what another has written.
	IndexAlone bool

	// Server is what runs the store, for tests that kill or halt it; they are
	// left out where it is nil.
	Server Server

	// Cut cuts the connections of all clients, in the middle of their calls.
	// New connections can be made right after. nil where there are none.
	Cut func()

	// Excused names tests that the store is known to fail, such as
	// "Watch/DeleteIsTold", each with the reason. They are run, for ten seconds
	// at most, and what they find is told and does not fail the suite. The name
	// of a group, such as "Watch", leaves out all its tests. The name of no test
	// and no group fails.
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
// need not be gone from an earlier call; the suite closes it. The testing.TB
// that open is given stands for the test that asks: it may fail it, and have
// it clean up.
func Run(t *testing.T, open func(t testing.TB) store.Store, can Capabilities) {
	t.Helper()
	for _, name := range strangers(can.Excused) {
		t.Errorf("there is no test %q to excuse", name)
	}
	for _, g := range groups {
		if excuse := can.Excused[g.name]; excuse != "" {
			t.Logf("left out: %s: %s", g.name, excuse)
			continue
		}
		t.Run(g.name, func(t *testing.T) {
			var running sync.WaitGroup
			defer running.Wait()
			for _, c := range g.checks {
				if missing := c.needs.missing(can); missing != "" {
					t.Logf("left out: %s, for %s", c.name, missing)
					continue
				}
				run := func() {
					t.Run(c.name, func(t *testing.T) { runCheck(t, open, can, c, can.Excused[g.name+"/"+c.name]) })
				}
				if g.together {
					running.Go(run)
				} else {
					run()
				}
			}
		})
	}
}

// runCheck runs one check as the test t.
func runCheck(t *testing.T, open func(testing.TB) store.Store, can Capabilities, c check, excuse string) {
	if can.Server != nil && c.needs&server != 0 {
		// Whatever becomes of the check, the next one finds the server well.
		defer func() { can.Server.Thaw(); can.Server.Start() }()
	}
	limit := time.Minute
	if excuse != "" {
		limit = 10 * time.Second
	}
	tr := newTrial(t, open, can)
	tr.blame = func(what string) {
		t.Helper()
		if excuse != "" {
			t.Logf("excused: %s: %s", excuse, what)
		} else {
			t.Error(what)
		}
	}
	tr.run(c.test, limit)
	if excuse != "" && !tr.Failed() {
		t.Logf("excused, but it passes: %s", excuse)
	}
	if tr.skipped {
		t.SkipNow()
	}
}

// strangers returns the names in excused that no check has, sorted.
func strangers(excused map[string]string) []string {
	var names []string
	for name := range excused {
		isGroup := slices.ContainsFunc(groups, func(g group) bool { return g.name == name })
		if _, known := find(name); !known && !isGroup {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
