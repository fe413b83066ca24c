package redis_test

import (
	"context"
	"os"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/redis"
	"github.com/seed-a1d591d3/leadership/store/storetest"
)

func TestMain(m *testing.M) {
	goredis.SetLogger(silent{}) // it logs what the tests do to it
	os.Exit(servers.VerifyMain(m, nil))
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

const key = "service/leader"

var capabilities = storetest.Capabilities{TTL: time.Millisecond}

// opener opens stores by URL.
func opener(url string) func(testing.TB) store.Store {
	return func(t testing.TB) store.Store {
		t.Helper()
		return openURL(t, url)
	}
}

func openURL(t testing.TB, url string) store.Store {
	t.Helper()
	kv, err := store.Open(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

func TestConformance(t *testing.T) {
	server := servers.Redis(t)
	proxy := servers.NewProxy(t, server.Addr)
	can := capabilities
	can.Server, can.Cut = server, proxy.Cut
	storetest.Run(t, opener("redis://"+proxy.Addr), can)
}

// owned is a store whose client is a user's, and is closed with it.
type owned struct {
	*redis.Store
	client goredis.UniversalClient
}

func (o owned) Close() error {
	err := o.Store.Close()
	o.client.Close()
	return err
}

func byUsersClient(opts goredis.Options) func(testing.TB) store.Store {
	return func(t testing.TB) store.Store {
		t.Helper()
		opts := opts // it is the client's then
		client := goredis.NewClient(&opts)
		kv, err := redis.New(client)
		if err != nil {
			t.Fatal(err)
		}
		return owned{kv, client}
	}
}

// TestConformanceOfUsersClient uses a client with go-redis's default settings, which
// repeats commands and ignores contexts.
func TestConformanceOfUsersClient(t *testing.T) {
	server := servers.Redis(t)
	proxy := servers.NewProxy(t, server.Addr)
	can := capabilities
	can.Server, can.Cut = server, proxy.Cut
	storetest.Run(t, byUsersClient(goredis.Options{Addr: proxy.Addr}), can)
}

func TestElections(t *testing.T) {
	server := servers.Redis(t)
	// By URL none can be opened while the server is down.
	open := byUsersClient(goredis.Options{Addr: server.Addr, ContextTimeoutEnabled: true})
	electiontest.Run(t, electiontest.Env{Open: open, Server: server})
}
