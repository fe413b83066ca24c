package storetest

import (
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// try runs the check of this name over a site, and returns what it found wrong.
func try(t *testing.T, name string, s *site, can Capabilities, patience time.Duration) []string {
	t.Helper()
	c, known := find(name)
	if !known {
		t.Fatalf("there is no check %q", name)
	}
	s.kv = memory.New()
	defer s.end()
	can.Server, can.Cut = s, s.cut
	if can.Expiry == 0 {
		can.Expiry = 100 * time.Millisecond
	}
	if missing := c.needs.missing(can); missing != "" {
		t.Fatalf("%s is left out, for %s", name, missing)
	}
	tr := newTrial(t, s.open, can)
	tr.patience = patience
	var mu sync.Mutex
	var found []string
	tr.blame = func(what string) {
		mu.Lock()
		defer mu.Unlock()
		found = append(found, what)
	}
	tr.run(c.test, 20*time.Second)
	mu.Lock()
	defer mu.Unlock()
	return found
}

// precise is a store in memory.
var precise = Capabilities{TTL: time.Nanosecond}

// together returns a function that runs tests at once, some of them: they mostly
// wait. They have ended when wait returns.
func together(t *testing.T) (run func(name string, test func(*testing.T)), wait func()) {
	var running sync.WaitGroup
	seats := make(chan struct{}, 6)
	run = func(name string, test func(*testing.T)) {
		seats <- struct{}{}
		running.Go(func() {
			defer func() { <-seats }()
			t.Run(name, test)
		})
	}
	return run, running.Wait
}

// TestEveryBreakageIsFound tests the suite: for each way to break a store it names the
// checks that must fail.
func TestEveryBreakageIsFound(t *testing.T) {
	proven := make(map[string]bool)
	run, wait := together(t)
	defer wait()
	for _, b := range breakages {
		for _, name := range b.caughtBy {
			proven[name] = true
			test := func(t *testing.T) {
				attempts := 1
				if strings.HasPrefix(name, "Linearizable/") {
					attempts = 5 // what its clients do is chance
				}
				var found []string
				for ; attempts > 0 && len(found) == 0; attempts-- {
					found = try(t, name, &site{how: b.how, onStop: b.onStop}, b.can, 500*time.Millisecond)
				}
				if len(found) == 0 {
					t.Fatalf("%s did not find it", name)
				}
				t.Logf("%s", strings.SplitN(found[0], "\n", 2)[0])
			}
			run(b.name+"/"+name, test)
		}
	}
	for _, c := range everyCheck() {
		if !proven[c.name] {
			t.Errorf("no breakage is there for %s to find", c.name)
		}
	}
}

// everyCheck returns all checks, by their full names.
func everyCheck() []check {
	var all []check
	for _, g := range groups {
		for _, c := range g.checks {
			c.name = g.name + "/" + c.name
			all = append(all, c)
		}
	}
	return all
}

// TestSoundStorePassesEveryCheck: also if connections are cut and replies are lost.
func TestSoundStorePassesEveryCheck(t *testing.T) {
	run, wait := together(t)
	defer wait()
	for _, c := range everyCheck() {
		can, s := precise, &site{how: sound}
		switch {
		case c.needs&noTTL != 0:
			can.TTL, s.how = 0, refusesTTLs
		case c.needs&longTTL != 0:
			can, s.how = seconds, refusesShortTTLs
		}
		test := func(t *testing.T) {
			for _, what := range try(t, c.name, s, can, 10*time.Second) {
				t.Error(what)
			}
		}
		run(c.name, test)
	}
}
