package servers

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-a1d591d3/leadership/internal/certs"
)

// kinds are the servers there are, by name.
var kinds = map[string]kind{
	"etcd":      etcdKind,
	"consul":    consulKind,
	"zookeeper": zooKeeperKind,
	"redis":     redisKind,
	"postgres":  postgresKind,
	"mariadb":   mariaDBKind,
}

// New starts the server of that name for t, which ends it.
func New(t testing.TB, name string) *Server {
	t.Helper()
	s := start(t, find(t, name), nil)
	t.Cleanup(s.remove)
	return s
}

// Plain is New for a server that lets in as many connections as it does by default.
func Plain(t testing.TB, name string) *Server {
	t.Helper()
	k := find(t, name)
	k.plain = true
	s := start(t, k, nil)
	t.Cleanup(s.remove)
	return s
}

// NewOn is New for a server that has its data on a disk.
func NewOn(t testing.TB, name string, d *Disk) *Server {
	t.Helper()
	k := find(t, name)
	k.base = d.Dir
	s := start(t, k, nil)
	t.Cleanup(s.remove)
	return s
}

// Secure starts the server of that name for t, which ends it, with TLS and a
// login: its clients have to show what is in its Secret.
func Secure(t testing.TB, name string) *Server {
	t.Helper()
	k := find(t, name)
	if !k.secure {
		t.Fatalf("%s is not started with TLS and a login here", name)
	}
	s := start(t, k, &Secret{Authority: certs.New(t), User: "app", Password: "s3cret/of:the@app%"})
	t.Cleanup(s.remove)
	return s
}

func find(t testing.TB, name string) kind {
	t.Helper()
	k, ok := kinds[name]
	if !ok {
		names := slices.Sorted(maps.Keys(kinds))
		t.Fatalf("no server %q: there are %s", name, strings.Join(names, ", "))
	}
	return k
}

// Etcd starts an etcd for t, which ends it.
func Etcd(t testing.TB) *Server { t.Helper(); return New(t, "etcd") }

// Consul starts a Consul server for t, which ends it.
func Consul(t testing.TB) *Server { t.Helper(); return New(t, "consul") }

// ZooKeeper starts a ZooKeeper for t, which ends it.
func ZooKeeper(t testing.TB) *Server { t.Helper(); return New(t, "zookeeper") }

// Redis starts a Redis for t, which ends it.
func Redis(t testing.TB) *Server { t.Helper(); return New(t, "redis") }

// Postgres starts a PostgreSQL for t, which ends it. Its Addr is a URL.
func Postgres(t testing.TB) *Server { t.Helper(); return New(t, "postgres") }

// pool holds the servers that the tests of a package share.
var pool struct {
	sync.Mutex
	open    bool
	servers map[string]*Server
}

// Shared returns the one server of that name which all tests of the package
// share: they must neither stop nor freeze it. The package needs a TestMain that
// calls Main.
func Shared(t testing.TB, name string) *Server {
	t.Helper()
	pool.Lock()
	defer pool.Unlock()
	if !pool.open {
		t.Fatal("servers.Shared needs func TestMain(m *testing.M) { os.Exit(servers.VerifyMain(m, nil)) }")
	}
	s := pool.servers[name]
	if s == nil {
		s = start(t, find(t, name), nil)
		pool.servers[name] = s
	}
	return s
}

// Main runs the tests of a package, ends the servers that they shared, and
// returns what TestMain is to exit with.
func Main(m *testing.M) int {
	pool.Lock()
	pool.open, pool.servers = true, make(map[string]*Server)
	pool.Unlock()
	// A panic in a test skips this; the kernel ends the servers then.
	defer func() {
		for _, s := range pool.servers {
			s.remove()
		}
	}()
	return m.Run()
}

// VerifyMain is Main, and fails for goroutines that the tests have left, looked
// for after clean where it is not nil.
func VerifyMain(m *testing.M, clean func() error) int {
	code := Main(m)
	if clean != nil {
		if err := clean(); err != nil {
			fmt.Fprintln(os.Stderr, "clean up:", err)
			code = 1
		}
	}
	if code != 0 {
		return code
	}
	err := goleak.Find()
	// Some clients have goroutines that find out a second later that they were closed.
	for began := time.Now(); err != nil && time.Since(began) < 5*time.Second; {
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
