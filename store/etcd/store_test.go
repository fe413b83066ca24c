package etcd_test

import (
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/etcd"
	"github.com/seed-a1d591d3/leadership/store/storetest"
)

// can is what storetest expects: the shortest lease of the tests' servers is a
// second, and etcd ends them up to two seconds late.
var can = storetest.Capabilities{TTL: time.Second, Expiry: 2 * time.Second}

func TestConformance(t *testing.T) {
	server := servers.New(t, "etcd")
	proxy := servers.NewProxy(t, server.Addr)
	can := can
	can.Server, can.Cut = server, proxy.Cut
	storetest.Run(t, func(t testing.TB) store.Store {
		t.Helper()
		kv, err := store.Open(t.Context(), "etcd://"+proxy.Addr+"/conformance")
		if err != nil {
			t.Fatal(err)
		}
		return kv
	}, can)
}

func TestElections(t *testing.T) {
	server := servers.New(t, "etcd")
	electiontest.Run(t, electiontest.Env{
		// Not by URL: that wants a server which is there.
		Open:   func(t testing.TB) store.Store { return onClient(t, server.Addr, etcd.DialOptions()...) },
		Server: server,
	})
}

// own is a store on a client of the test's own.
type own struct {
	*etcd.Store

	client *clientv3.Client
}

func (o own) Close() error {
	o.Store.Close()
	return o.client.Close()
}

// onClient returns a store that closes its client.
func onClient(t testing.TB, addr string, opts ...grpc.DialOption) own {
	t.Helper()
	client := newClient(t, addr, opts...)
	return own{etcd.New(client), client}
}

func newClient(t testing.TB, addr string, opts ...grpc.DialOption) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{addr}, DialOptions: opts, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	return client
}
