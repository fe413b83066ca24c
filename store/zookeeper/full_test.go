package zookeeper_test

import (
	"context"
	"testing"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

// A server accepts 60 connections of one address.
func TestFullServerIsNamedAndItsRoomIsUsedAgain(t *testing.T) {
	server := servers.Plain(t, "zookeeper")
	proxy := servers.NewProxy(t, server.Addr)
	electiontest.Full(t, proxy, func(ctx context.Context) (store.Store, error) {
		return store.Open(ctx, "zookeeper://"+proxy.Addr)
	}, func() func() { return server.Fill(t, 120, servers.ZooKeeperHello()) }, "maxClientCnxns")
}
