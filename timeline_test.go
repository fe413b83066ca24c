package leadership

import (
	"os"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// TestFailoverIsAsItIsDrawn plays what docs/timeline.svg shows: a leader is cut off from the store once
// a renewal was acknowledged. Requests and replies take 0.4 s each, as what a watch shows does.
func TestFailoverIsAsItIsDrawn(t *testing.T) {
	svg, err := os.ReadFile("docs/timeline.svg")
	if err != nil {
		t.Fatal(err)
	}
	drawn := make(map[string]time.Duration) // instants, from when the renewal was sent
	for _, m := range regexp.MustCompile(`data-at="(\w+)" data-s="([\d.]+)"`).FindAllStringSubmatch(string(svg), -1) {
		s, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		drawn[m[1]] = time.Duration(s * float64(time.Second))
	}
	synctest.Test(t, func(t *testing.T) {
		const way = 400 * time.Millisecond
		var (
			mu    sync.Mutex
			sent  = make(map[string]time.Time) // when the last call of a kind by a node began
			count = make(map[string]int)
		)
		shared := memory.New()
		node := func(name string) (*Candidate, *faultstore.Store) {
			kv := faultstore.New(shared, faultstore.WithPlan(func(c faultstore.Call) faultstore.Fault {
				mu.Lock()
				defer mu.Unlock()
				sent[name+string(c.Op)] = time.Now()
				count[name+string(c.Op)]++
				return faultstore.Fault{Before: way, After: way}
			}))
			kv.LagWatches(way)
			candidate := NewCandidate(kv, key, name, 0)
			elected, _ := candidate.RunForElection(t.Context())
			t.Cleanup(func() {
				kv.Heal()
				candidate.Stop()
				for range elected { // until it has ended
				}
			})
			return candidate, kv
		}
		until := func(what func() bool) time.Time {
			t.Helper()
			for range 60_000 {
				if what() {
					return time.Now()
				}
				time.Sleep(time.Millisecond)
				synctest.Wait()
			}
			t.Fatal("it does not happen")
			return time.Time{}
		}
		written := func(name string) int {
			mu.Lock()
			defer mu.Unlock()
			return count[name+string(faultstore.OpAtomicPut)]
		}
		a, cable := node("a")
		until(a.IsLeader)
		b, _ := node("b")
		renewals := written("a")
		start := until(func() bool { return written("a") > renewals })
		time.Sleep(2 * way)
		synctest.Wait()
		cable.Partition()
		trust := until(func() bool { return !a.IsLeader() })
		claims := written("b")
		claimed := until(func() bool { return written("b") > claims })
		mu.Lock()
		look := sent["b"+string(faultstore.OpGet)]
		mu.Unlock()
		leads := until(b.IsLeader)
		for name, at := range map[string]time.Time{
			"sent": start, "written": start.Add(way), "heard": start.Add(2 * way), "seen": start.Add(2 * way),
			"trust": trust, "look": look, "claim": claimed, "leads": leads,
		} {
			got := at.Sub(start)
			if want, ok := drawn[name]; !ok || (got-want).Abs() > 50*time.Millisecond {
				t.Errorf("%s: %v, drawn at %v", name, got, want)
			}
			delete(drawn, name)
		}
		if len(drawn) > 0 {
			t.Errorf("what are %v?", drawn)
		}
	})
}
