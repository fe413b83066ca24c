package electiontest

import (
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
)

// Claim claims the seat of key for a node, and fails the test unless that wins it.
func Claim(t testing.TB, kv store.Store, key, node string, ttl time.Duration) leadership.Claimed {
	t.Helper()
	got, err := leadership.NewClaims(kv, key).Claim(t.Context(), leadership.Claim{Node: node, TTL: ttl})
	if err != nil || !got.Won {
		t.Fatalf("claim of %s: %+v, %v", node, got, err)
	}
	return got
}
