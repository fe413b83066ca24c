// Package storetest is the conformance suite for a store.Store. It tests the contract on
// which elections rely.
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
//	GetMany                                 store.GetMany, whether the store implements it or not
//	HintsBelow                              store.HintsBelow, if the store implements it
//	TTL Context Watch Writers Keys Values   and by subject
//	Linearizable                            histories of many clients, by porcupine
//	Cut Restart Frozen                      with Capabilities.Cut and Server
//
// Each test uses keys of its own, and does not delete them. Tests run one after another,
// because many measure time, except for those of TTL, which mostly wait. A test that has
// not ended after a minute fails.
//
// The calls of the clients of Linearizable are drawn from a seed, which is logged; set
// STORETEST_SEED to repeat them. The order in which they reach the store remains random.
package storetest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// Capabilities are what a store can do beyond the minimum, and how the suite controls its
// server and its connections. The zero value is a store that does not delete keys by
// itself and whose server cannot be controlled.
type Capabilities struct {
	// TTL is the shortest TTL that AtomicPut supports, or 0 if the store cannot delete a
	// key by itself. AtomicPut must return ErrTTLNotSupported for a TTL below this, and
	// for any TTL if this is 0.
	TTL time.Duration

	// Expiry is how late after its TTL a key may be deleted. The default is a
	// second.
	Expiry time.Duration

	// IndexRestarts means that an index of a key may be used again after the key was
	// deleted.
	IndexRestarts bool

	// IndexAlone means that AtomicPut and AtomicDelete compare only the index of the
	// previous pair and not its value: after a backup was restored, a write may then
	// replace the value of another write with the same index.
	IndexAlone bool

	// Server is the server of the store, for tests that kill or stop it. If it is nil,
	// they are left out.
	Server Server

	// Cut cuts the connections of all clients, in the middle of their calls. New
	// connections can be made right after. It is nil if there are no connections.
	Cut func()

	// Excused names tests that the store is known to fail, such as "Watch/DeleteIsTold",
	// each with the reason. They run for at most ten seconds, and their failures are
	// logged and do not fail the suite. With the name of a group, such as "Watch", all
	// its tests are left out. An unknown name fails the suite.
	Excused map[string]string
}

// Server controls a store's server in a test. Its methods return when they have taken
// effect.
type Server interface {
	Stop()   // kills the server; acknowledged writes survive
	Start()  // starts it again, at the same address
	Freeze() // stops it: connections stay open, without answers
	Thaw()   // lets it continue
}

// Run runs the suite. open connects another client to the store, which may still have the
// keys of earlier calls; the suite closes it. open gets the testing.TB of the test that
// calls it, which it may fail, and use for Cleanup.
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
		// Whatever the outcome, the next check needs a running server.
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

// strangers returns the names in excused that are not those of a check, sorted.
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
