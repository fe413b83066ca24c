package redis_test

import (
	"context"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

func TestFullServerIsNamedAndItsRoomIsUsedAgain(t *testing.T) {
	server := servers.Redis(t)
	client := goredis.NewClient(&goredis.Options{Addr: server.Addr})
	if err := client.ConfigSet(t.Context(), "maxclients", "50").Err(); err != nil {
		t.Fatal(err)
	}
	client.Close()
	proxy := servers.NewProxy(t, server.Addr)
	electiontest.Full(t, proxy, func(ctx context.Context) (store.Store, error) {
		return store.Open(ctx, "redis://"+proxy.Addr)
	}, func() func() { return server.Fill(t, 60, "") }, "max number of clients", "maxclients")
}
