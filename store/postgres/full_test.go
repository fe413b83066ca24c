package postgres_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

// A server accepts 100 connections.
func TestFullServerIsNamedAndItsRoomIsUsedAgain(t *testing.T) {
	testFull(t, servers.Plain(t, "postgres"), 110, "too many clients", "max_connections", "53300")
}

func TestFullPoolerIsNamedAndItsRoomIsUsedAgain(t *testing.T) {
	bouncer := servers.PgBouncer(t, servers.Shared(t, "postgres"))
	config, err := pgx.ParseConfig(bouncer.Addr)
	if err != nil {
		t.Fatal(err)
	}
	config.Database, config.DefaultQueryExecMode = "pgbouncer", pgx.QueryExecModeSimpleProtocol
	console, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := console.Exec(t.Context(), "SET max_client_conn = 50"); err != nil {
		t.Fatal(err)
	}
	if err := console.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	testFull(t, bouncer, 60, "no more connections allowed", "raise max_client_conn of PgBouncer")
}

// testFull fills a server with n connections of other clients.
func testFull(t *testing.T, server *servers.Server, n int, want ...string) {
	t.Helper()
	proxy := servers.NewProxy(t, hostport(server))
	electiontest.Full(t, proxy, func(ctx context.Context) (store.Store, error) {
		return store.Open(ctx, at(server.Addr, proxy.Addr))
	}, func() func() { return server.Fill(t, n, servers.PostgresHello()) }, want...)
}
