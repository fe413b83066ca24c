package httpapi_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
)

// widths are those of a desktop, a tablet and a phone, with their heights.
var widths = map[int64]int64{1280: 800, 768: 1024, 390: 844}

// holding makes a node hold the seat of an election, or resign it again.
func holding(t testing.TB, kv store.Store, key, node string, ttl time.Duration, resigns bool) {
	t.Helper()
	c := leadership.NewClaims(kv, key)
	instance := "an instance of " + node + " of some length"
	won, err := c.Claim(t.Context(), leadership.Claim{Node: node, Instance: instance, TTL: ttl, Payload: []byte("http://" + node + ".example:8080")})
	if err == nil && !won.Won {
		err = fmt.Errorf("%s does not lead %s: %+v", node, key, won)
	}
	if err == nil && resigns {
		err = c.Resign(t.Context(), instance, won.Term.Token, won.Beat)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// town fills a store with so many elections below a few prefixes. One in fifty has lost its
// leader. The first has had nine more terms.
func town(t testing.TB, kv store.Store, n int) {
	t.Helper()
	nodes := []string{"anna", "ben", "cleo", "dora", "emil"}
	for i := range n {
		key := []string{"billing/shard-%04d", "search/index-%04d/leader", "mail/queue-%04d"}[i%3]
		node := nodes[i%len(nodes)]
		for j := range 9 {
			if i == 0 {
				holding(t, kv, fmt.Sprintf(key, i), nodes[j%len(nodes)], time.Hour, true)
			}
		}
		holding(t, kv, fmt.Sprintf(key, i), node, time.Hour, i%50 == 1)
	}
}

// cleaning fills a store with rounds of a system.
func cleaning(t testing.TB, kv store.Store) {
	t.Helper()
	round := func(name string, opts ...leadership.RoundOption) *leadership.Round {
		t.Helper()
		r := leadership.NewRound(kv, "cleaning", name, "anna", opts...)
		if _, err := r.Elect(t.Context()); err != nil {
			t.Fatal(err)
		}
		return r
	}
	for i := range 14 {
		if err := round(fmt.Sprintf("2026-11-%02d", i+1)).CompleteWith(t.Context(), []byte("swept 14 rooms")); err != nil {
			t.Fatal(err)
		}
	}
	if err := round("2026-11-15").Fail(t.Context(), []byte("disk full: /var/lib/cleaning has 0 of 20 GB left\nat clean (clean.go:17)\nat main (main.go:9)")); err != nil {
		t.Fatal(err)
	}
	round("2026-11-16-a-round-whose-name-is-as-long-as-names-of-rounds-sometimes-are-in-practice-where-they-name-a-file.tar.gz", leadership.WithAttemptTTL(time.Hour))
	round("2026-11-17-over", leadership.WithAttemptTTL(100*time.Millisecond))
}
