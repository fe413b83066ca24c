package httpapi_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// TestElectionsThatAreObservedForMetricsTakeNoWatchFromAwaits: the store lets
// elections have few watches, as Consul does, and metrics need none.
func TestElectionsThatAreObservedForMetricsTakeNoWatchFromAwaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memory.New()
		kv := struct{ store.Store }{inner} // without a MaxWatches of its own
		for i := range store.DefaultMaxWatches + 8 {
			_, err := leadership.NewClaims(kv, fmt.Sprintf("election-%d", i)).
				Claim(t.Context(), leadership.Claim{Node: "a", Instance: "instance-of-holder-a", TTL: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
		}
		api, err := httpapi.New(kv, httpapi.WithObserved(""))
		if err != nil {
			t.Fatal(err)
		}
		if w := asked(t.Context(), api, "GET", "/metrics", ""); w.Code != 200 {
			t.Fatal(w.Code, w.Body)
		}
		time.Sleep(3 * time.Second)

		round := leadership.NewRound(kv, "sys", "1", "a")
		if won, err := round.Elect(t.Context()); err != nil || !won {
			t.Fatal(won, err)
		}
		answered := make(chan time.Time)
		go func() {
			asked(t.Context(), api, "GET", "/api/v1/await/sys/1?timeout=1m", "")
			answered <- time.Now()
		}()
		time.Sleep(1300 * time.Millisecond) // between two looks
		completed := time.Now()
		if err := round.Complete(t.Context()); err != nil {
			t.Fatal(err)
		}
		if late := (<-answered).Sub(completed); late > 100*time.Millisecond {
			t.Errorf("await was answered %v after the round was completed", late)
		}
		if err := api.Close(); err != nil {
			t.Error(err)
		}
		_ = kv.Close()
		time.Sleep(time.Minute)
	})
}
