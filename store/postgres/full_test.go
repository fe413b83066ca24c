package postgres_test

import (
	"context"
	"testing"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

// A server accepts 100 connections.
func TestFullServerIsNamedAndItsRoomIsUsedAgain(t *testing.T) {
	server := servers.Plain(t, "postgres")
	proxy := servers.NewProxy(t, hostport(server))
	electiontest.Full(t, proxy, func(ctx context.Context) (store.Store, error) {
		return store.Open(ctx, at(server.Addr, proxy.Addr))
	}, func() func() { return server.Fill(t, 110, servers.PostgresHello()) }, "too many clients", "max_connections", "53300")
}
