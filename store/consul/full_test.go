package consul_test

import (
	"context"
	"testing"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

// An agent accepts 200 connections of one address.
func TestFullServerIsNamedAndItsRoomIsUsedAgain(t *testing.T) {
	server := servers.Plain(t, "consul")
	proxy := servers.NewProxy(t, server.Addr)
	electiontest.Full(t, proxy, func(ctx context.Context) (store.Store, error) {
		return store.Open(ctx, "consul://"+proxy.Addr)
	}, func() func() { return server.Fill(t, 210, "") }, "429", "http_max_conns_per_client")
}
