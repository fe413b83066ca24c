package zookeeper_test

import (
	"crypto/rand"
	"os"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/storetest"
	"github.com/seed-a1d591d3/leadership/store/zookeeper"
)

func TestMain(m *testing.M) {
	os.Exit(servers.VerifyMain(m, nil))
}

// silent is the logger of the clients here: they are cut off all the time.
type silent struct{}

func (silent) Printf(string, ...any) {}

// newBase returns what the keys of one test begin with.
func newBase() string { return rand.Text() }

// connect makes a client, as users do, which the end of the test closes. It has
// time to set its watches again, for the race detector finds fault with one that
// has not.
func connect(t testing.TB, addr string) *zk.Conn {
	t.Helper()
	conn, events, err := zk.Connect([]string{addr}, 1500*time.Millisecond, zk.WithLogger(silent{}), zk.WithDialer(zookeeper.Settling))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		for range events {
		}
	})
	return conn
}

// open opens a store by URL, which the end of the test closes.
func open(t testing.TB, url string) store.Store {
	t.Helper()
	kv, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kv.Close() })
	return kv
}

func TestConformance(t *testing.T) {
	server := servers.New(t, "zookeeper")
	proxy := servers.NewProxy(t, server.Addr)
	storetest.Run(t, func(t testing.TB) store.Store {
		return open(t, "zookeeper://"+proxy.Addr)
	}, storetest.Capabilities{IndexAlone: true, Server: server, Cut: proxy.Cut})
}

// TestElections uses clients of users, which wait for a server that is down.
func TestElections(t *testing.T) {
	server := servers.New(t, "zookeeper")
	electiontest.Run(t, electiontest.Env{
		Open:   func(t testing.TB) store.Store { return zookeeper.New(connect(t, server.Addr)) },
		Server: server,
	})
}
