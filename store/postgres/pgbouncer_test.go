package postgres_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
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
	var pair *store.KVPair
	told := func() {
		t.Helper()
		pair = put(t, kv, key, "b", pair, 0)
		wantNext(t, pairs, pair)
	}
	// For longer than it takes to find out that nothing comes through.
	for began := time.Now(); time.Since(began) < 3*time.Second; {
		told()
	}
	const changes = 10
	began := time.Now()
	for range changes {
		told()
	}
	if took := time.Since(began); took > changes*time.Second/2 {
		t.Errorf("%d changes were told in %v, with a poll every 10ms", changes, took)
	}
}
