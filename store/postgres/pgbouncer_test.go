package postgres_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store/storetest"
)

// Through PgBouncer in transaction mode every statement may be on another
// connection of the server's, and no notification comes through.

func TestConformanceThroughPgBouncer(t *testing.T) {
	bouncer := servers.PgBouncer(t, servers.Shared(t, "postgres"))
	storetest.Run(t, openURL(bouncer.Addr), storetest.Capabilities{TTL: 1, Server: bouncer})
}

func TestElectionsThroughPgBouncer(t *testing.T) {
	server := servers.Postgres(t)
	bouncer := servers.PgBouncer(t, server)
	electiontest.Run(t, electiontest.Env{Open: openURL(bouncer.Addr), Server: server})
}

func TestWatchLooksByItselfBehindPgBouncer(t *testing.T) {
	bouncer := servers.PgBouncer(t, servers.Shared(t, "postgres"))
	kv := wantOpen(t, at(bouncer.Addr, "", "poll", "10ms"))
	key := rand.Text()
	pairs := watch(t, kv, key)
	wantNext(t, pairs, nil)
	// For longer than it takes to find out that nothing comes through.
	pair := put(t, kv, key, "a", nil, 0)
	wantNext(t, pairs, pair)
	for began := time.Now(); time.Since(began) < 3*time.Second; {
		pair = put(t, kv, key, "b", pair, 0)
		if took := wantNext(t, pairs, pair); took > time.Second {
			t.Errorf("a change was told after %v, with a poll every 10ms", took)
		}
	}
}
