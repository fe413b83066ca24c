package outage

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/kvtools/consul"
	"github.com/kvtools/etcdv3"
	"github.com/kvtools/redis"
	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	_ "github.com/seed-a1d591d3/leadership/store/all"
)

const (
	key = "outage/leader"
	ttl = time.Second

	// outage is how long the servers are halted. What is stuck is stuck after
	// the first quarter.
	outage = time.Minute
)

// roles are what a process of this binary does in place of tests.
var roles = make(map[string]func())

// roleVariable names the role of a process.
const roleVariable = "LEADERSHIP_OUTAGE_ROLE"

func TestMain(m *testing.M) {
	if role := roles[os.Getenv(roleVariable)]; role != nil {
		role()
		return
	}
	// The adapters and their clients log what the test does to them.
	log.SetOutput(io.Discard)
	goredis.SetLogger(silent{})
	os.Setenv("ETCD_CLIENT_DEBUG", "fatal")
	os.Exit(servers.Main(m))
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// subject is a store in an outage.
type subject struct {
	name   string
	open   func() (store.Store, error)
	freeze func()
	thaw   func()
}

// TestOutageOfAMinuteCostsNothingMore: neither goroutines nor memory grow with
// the length of an outage, on any store. All are in one process, at once: what
// grows on one of them grows in all.
func TestOutageOfAMinuteCostsNothingMore(t *testing.T) {
	subjects := subjects(t)
	var candidates []*leadership.Candidate
	var ends []func()
	for _, s := range subjects {
		for _, node := range []string{"a", "b"} {
			kv, err := s.open()
			if err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
			defer kv.Close()
			candidate := leadership.NewCandidate(kv, key, node, ttl)
			follower := leadership.NewFollower(kv, key)
			elected, errs := candidate.RunForElection(t.Context())
			leaders, followErrs := follower.FollowElection(t.Context())
			candidates = append(candidates, candidate)
			ends = append(ends, func() {
				candidate.Stop()
				follower.Stop()
				wait(elected)
				wait(errs)
				wait(leaders)
				wait(followErrs)
			})
		}
	}
	led := func() {
		t.Helper()
		for i, s := range subjects {
			for began := time.Now(); !candidates[2*i].IsLeader() && !candidates[2*i+1].IsLeader(); time.Sleep(time.Millisecond) {
				if time.Since(began) > time.Minute {
					t.Fatalf("%s: nobody leads", s.name)
				}
			}
		}
	}
	led()
	calmHeap := heap()

	for _, s := range subjects {
		s.freeze()
	}
	time.Sleep(outage / 4)
	electiontest.Calls(t, outage/4, 2*len(candidates))
	earlyHeap := heap()
	electiontest.Calls(t, outage/2, 2*len(candidates))
	lateHeap := heap()
	for i, c := range candidates {
		if c.IsLeader() {
			t.Errorf("%s: somebody leads on a server that is frozen", subjects[i/2].name)
		}
	}
	for _, s := range subjects {
		s.thaw()
	}
	t.Logf("heap in use: %d KiB before, %d KiB in the first half, %d KiB in the second", calmHeap>>10, earlyHeap>>10, lateHeap>>10)
	if lateHeap > earlyHeap+4<<20 {
		t.Errorf("%d bytes in use became %d", earlyHeap, lateHeap)
	}
	led()
	for _, end := range ends {
		end()
	}
}

func wait[T any](c <-chan T) {
	for range c {
	}
}

// heap returns how much of the heap is in use.
func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// subjects starts all servers, and returns the stores on them: ours and
// kvtools'.
func subjects(t *testing.T) []subject {
	t.Helper()
	// As long as a context is not what ends it.
	ctx := context.WithoutCancel(t.Context())
	adapters := map[string]func(addr string) (store.Store, error){
		"etcd":   func(addr string) (store.Store, error) { return etcdv3.New(ctx, []string{addr}, nil) },
		"consul": func(addr string) (store.Store, error) { return consul.New(ctx, []string{addr}, nil) },
		// Not ZooKeeper's: its client has a data race of its own when it connects
		// again with watches set, which go-zookeeper v1.0.4 does not guard.
		"redis": func(addr string) (store.Store, error) {
			return redis.NewWithCodec(ctx, []string{addr}, nil, &redis.JSONCodec{})
		},
	}
	var all []subject
	for _, name := range []string{"etcd", "consul", "zookeeper", "redis", "postgres"} {
		// One for each adapter: the records of a key differ between them.
		ours := servers.New(t, name)
		url := ours.Addr
		if name != "postgres" {
			url = name + "://" + url
		}
		open := func() (store.Store, error) { return store.Open(ctx, url) }
		all = append(all, subject{name, open, ours.Freeze, ours.Thaw})
		if adapter := adapters[name]; adapter != nil {
			theirs := servers.New(t, name)
			open := func() (store.Store, error) { return adapter(theirs.Addr) }
			all = append(all, subject{"kvtools " + name, open, theirs.Freeze, theirs.Thaw})
		}
	}
	return append(all, sqlite(t))
}

// sqlite is halted by somebody else who holds its file.
func sqlite(t *testing.T) subject {
	t.Helper()
	path := filepath.Join(t.TempDir(), "outage.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	var hold *sql.Conn
	do := func(statement string) {
		if _, err := hold.ExecContext(context.WithoutCancel(t.Context()), statement); err != nil {
			t.Fatalf("sqlite: %s: %v", statement, err)
		}
	}
	return subject{
		name: "sqlite",
		open: func() (store.Store, error) { return store.Open(t.Context(), fmt.Sprintf("sqlite://%s", path)) },
		freeze: func() {
			if hold, err = db.Conn(context.WithoutCancel(t.Context())); err != nil {
				t.Fatal(err)
			}
			do("PRAGMA busy_timeout = 5000")
			do("BEGIN EXCLUSIVE")
		},
		thaw: func() {
			do("ROLLBACK")
			hold.Close()
		},
	}
}
