package kvtools

import (
	"context"
	"errors"
	"io"
	"log"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kvtools/consul"
	"github.com/kvtools/etcdv3"
	"github.com/kvtools/redis"
	"github.com/kvtools/zookeeper"
	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/storetest"
)

func TestMain(m *testing.M) {
	// The adapters and their clients log what the tests do to them.
	log.SetOutput(io.Discard)
	goredis.SetLogger(silent{})
	os.Setenv("ETCD_CLIENT_DEBUG", "fatal")
	if name := os.Getenv(childStore); name != "" {
		lead(name, os.Getenv(childAddr))
	}
	os.Exit(servers.Main(m))
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// adapters make a client of the server at addr, straight from the adapter's
// constructor, as its users do.
var adapters = []struct {
	name string
	open func(ctx context.Context, addr string) (store.Store, error)
}{
	{"etcd", func(ctx context.Context, addr string) (store.Store, error) {
		return etcdv3.New(ctx, []string{addr}, nil)
	}},
	{"consul", func(ctx context.Context, addr string) (store.Store, error) {
		return consul.New(ctx, []string{addr}, nil)
	}},
	{"zookeeper", func(ctx context.Context, addr string) (store.Store, error) {
		// A client that knocks while the server starts may be let in and then
		// hear nothing, for 6.7 times this: over a minute by default.
		return zookeeper.New(ctx, []string{addr}, &zookeeper.Config{ConnectionTimeout: 1500 * time.Millisecond})
	}},
	{"redis", func(ctx context.Context, addr string) (store.Store, error) {
		return redis.NewWithCodec(ctx, []string{addr}, nil, &redis.JSONCodec{})
	}},
}

// opener makes clients of the server at addr.
func opener(addr string, open func(context.Context, string) (store.Store, error)) func(testing.TB) store.Store {
	return func(t testing.TB) store.Store {
		t.Helper()
		kv, err := open(context.Background(), addr)
		if err != nil {
			t.Fatal(err)
		}
		return kv
	}
}

func TestElections(t *testing.T) {
	for _, a := range adapters {
		t.Run(a.name, func(t *testing.T) {
			server := servers.New(t, a.name)
			addr := server.Addr
			if a.name == "zookeeper" {
				// Its client sets its watches again when it reconnects, and races
				// with itself if it has an answer before that.
				proxy := servers.NewProxy(t, addr)
				proxy.Delay(20 * time.Millisecond)
				addr = proxy.Addr
			}
			electiontest.Run(t, electiontest.Env{Open: opener(addr, a.open), Server: server})
		})
	}
}

// TestRedisWithoutJSONCodecIsRefused: with its default codec the adapter
// overwrites whatever is there, and says that it compared.
func TestRedisWithoutJSONCodecIsRefused(t *testing.T) {
	kv, err := redis.New(t.Context(), []string{servers.Shared(t, "redis").Addr}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = kv.Close() }()

	candidate := leadership.NewCandidate(kv, "kvtools/unsafe/leader", "a", time.Second)
	elected, errs := candidate.RunForElection(t.Context())
	for leads := range elected {
		if leads {
			t.Error("it leads")
		}
	}
	var last error
	for err := range errs {
		last = err
	}
	wantRefusal(t, last)

	_, err = leadership.NewRound(kv, "kvtools-unsafe", "1", "a").Elect(t.Context())
	wantRefusal(t, err)
}

// wantRefusal wants an error that refuses the store, and names
// others.
func wantRefusal(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, leadership.ErrUnsafeStore) || !strings.Contains(err.Error(), "JSONCodec") {
		t.Errorf("%v; want ErrUnsafeStore and a word on JSONCodec", err)
	}
}

// TestConformance holds the adapters to what elections need of a store. What
// each is excused from, elections do without.
func TestConformance(t *testing.T) {
	for _, a := range adapters {
		t.Run(a.name, func(t *testing.T) {
			server := servers.New(t, a.name)
			proxy := servers.NewProxy(t, server.Addr)
			open := func(t testing.TB) store.Store {
				t.Helper()
				kv, err := a.open(context.WithoutCancel(t.Context()), proxy.Addr)
				if err != nil {
					t.Fatal(err)
				}
				return kv
			}
			storetest.Run(t, open, storetest.Capabilities{IndexAlone: true, Server: server, Cut: proxy.Cut, Excused: excused[a.name]})
		})
	}
}
