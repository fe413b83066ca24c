//go:build faults

package sabotaged

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/history"
	"github.com/seed-a1d591d3/leadership/faults/worker"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	_ "github.com/seed-a1d591d3/leadership/store/all"
)

func TestMain(m *testing.M) { os.Exit(servers.VerifyMain(m, nil)) }

// node is one worker, behind a proxy of its own.
type node struct {
	name  string
	proxy *servers.Proxy
	cmd   *exec.Cmd
	in    io.WriteCloser
}

// scene is an election of three workers over one server.
type scene struct {
	t     *testing.T
	ttl   time.Duration
	kv    store.Store // by no proxy
	dir   string
	nodes []*node
}

// play is a fault that brings a sabotage to light.
type play struct {
	store  string
	config worker.Config // what differs
	kind   string        // of the violation
	strike func(s *scene, leader *node)
}

// plays has one for each of Sabotages.
var plays = []play{
	{ // S1: replies are slow, and then no request arrives
		"etcd", worker.Config{TTL: 2 * time.Second}, history.Overlap, func(s *scene, leader *node) {
			leader.proxy.Set(servers.Down, servers.Flow{Delay: s.ttl * 28 / 100})
			s.wait(1)
			leader.proxy.Set(servers.Up, servers.Flow{Hold: true})
			s.wait(1.5)
			leader.proxy.Set(servers.Down, servers.Flow{})
			leader.proxy.Set(servers.Up, servers.Flow{})
		},
	},
	{"redis", worker.Config{TTL: time.Second}, history.Overlap, hold},                           // S2
	{"redis", worker.Config{Every: 100 * time.Microsecond}, history.Overlap, halt},              // S3, IsLeader
	{"redis", worker.Config{Every: 100 * time.Microsecond}, history.Overlap, halt},              // S3, the context
	{"redis", worker.Config{}, history.Overlap, hold},                                           // S5
	{"etcd", worker.Config{TTL: 300 * time.Millisecond, Deaf: true}, history.Leak, holdForLong}, // S6
	{ // S8
		"redis", worker.Config{TTL: 2 * time.Second, Wind: 500 * time.Millisecond}, history.GivenUpEarly, func(s *scene, leader *node) {
			fmt.Fprintln(leader.in, "resign")
			s.wait(0.5)
		},
	},
}

// hold has nothing pass between a leader and its store.
func hold(s *scene, leader *node) {
	leader.proxy.Set(servers.Up, servers.Flow{Hold: true})
	leader.proxy.Set(servers.Down, servers.Flow{Hold: true})
	s.wait(2)
	leader.proxy.Set(servers.Up, servers.Flow{})
	leader.proxy.Set(servers.Down, servers.Flow{})
}

func holdForLong(s *scene, leader *node) {
	leader.proxy.Set(servers.Up, servers.Flow{Hold: true})
	leader.proxy.Set(servers.Down, servers.Flow{Hold: true})
	s.wait(60)
	leader.proxy.Set(servers.Up, servers.Flow{})
	leader.proxy.Set(servers.Down, servers.Flow{})
}

// halt stops a leader until another leads.
func halt(s *scene, leader *node) {
	_ = leader.cmd.Process.Signal(syscall.SIGSTOP)
	s.wait(1.3 + rand.Float64()/4)
	_ = leader.cmd.Process.Signal(syscall.SIGCONT)
}

// limit is how long a sabotage may take to be found, and so many strikes have to find
// nothing in workers that are sound.
const limit, soundStrikes = 3 * time.Minute, 5

func TestSabotagedWorkersAreFound(t *testing.T) {
	binary, err := Build(t.Context(), "../..", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for i, what := range Sabotages() {
		t.Run(what, func(t *testing.T) {
			began := time.Now()
			strikes, r := plays[i].until(t, binary, Environ(i), func(strikes int, r *history.Result) bool {
				return r.Count(plays[i].kind) > 0 || time.Since(began) > limit
			})
			n := slices.IndexFunc(r.Violations, func(v history.Violation) bool { return v.Kind == plays[i].kind })
			if n < 0 {
				t.Fatalf("not found by %d strikes: %+v", strikes, r)
			}
			t.Logf("found after %v, by strike %d:\n%v", time.Since(began).Round(time.Second), strikes, r.Violations[n])
			if _, r := plays[i].until(t, binary, "", func(strikes int, r *history.Result) bool { return strikes >= soundStrikes || len(r.Violations) > 0 }); len(r.Violations) > 0 {
				t.Errorf("found in sound workers: %v", r.Violations)
			}
		})
	}
}

// until strikes one leader after another until what has been found is enough.
func (p play) until(t *testing.T, binary, environ string, enough func(strikes int, r *history.Result) bool) (int, *history.Result) {
	t.Helper()
	s := p.start(t, binary, environ)
	defer s.end()
	for strikes := 1; ; strikes++ {
		p.strike(s, s.leader())
		s.wait(0.2) // in which what happened is logged
		logs, err := history.ReadDir(s.dir)
		if err != nil {
			t.Fatal(err)
		}
		if r := history.Check(logs, history.Limits{}); enough(strikes, r) {
			return strikes, r
		}
	}
}

// start starts the workers.
func (p play) start(t *testing.T, binary, environ string) *scene {
	t.Helper()
	server := servers.Shared(t, p.store)
	s := &scene{t: t, ttl: p.config.TTL, dir: t.TempDir()}
	if s.ttl == 0 {
		s.ttl = 500 * time.Millisecond
	}
	var err error
	if s.kv, err = store.Open(t.Context(), p.store+"://"+server.Addr); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		n := &node{name: string(rune('a' + i)), proxy: servers.NewProxy(t, server.Addr)}
		s.nodes = append(s.nodes, n)
		c := p.config
		c.Store, c.Key, c.Node, c.Incarnation, c.TTL, c.Rate = p.store+"://"+n.proxy.Addr, s.key(), n.name, 1, s.ttl, 1
		c.Log, c.Mode = filepath.Join(s.dir, n.name+".log"), worker.Run
		if c.Writes = 10; c.Every == 0 {
			c.Every = 2 * time.Millisecond
		}
		if i == 1 && p.kind == history.Overlap {
			c.Mode = worker.RunForElection
		}
		n.cmd = exec.Command(binary, c.Args()...)
		n.cmd.Env = append(os.Environ(), environ)
		n.cmd.Stderr = os.Stderr
		n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if n.in, err = n.cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		if err := n.cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// key is that of the election, which no other scene has.
func (s *scene) key() string {
	return "faults/" + filepath.Base(filepath.Dir(s.dir)) + filepath.Base(s.dir)
}

// end kills the workers: those that are sabotaged may not end.
func (s *scene) end() {
	for _, n := range s.nodes {
		_ = n.cmd.Process.Kill()
		_ = n.cmd.Wait()
		n.proxy.Stop()
	}
	s.kv.Close()
}

// wait waits for so many TTLs.
func (s *scene) wait(ttls float64) { time.Sleep(time.Duration(ttls * float64(s.ttl))) }

// leader waits until a worker leads.
func (s *scene) leader() *node {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
		pair, err := s.kv.Get(ctx, s.key(), nil)
		cancel()
		var record struct{ Leader string }
		if err != nil || json.Unmarshal(pair.Value, &record) != nil {
			continue
		}
		if i := slices.IndexFunc(s.nodes, func(n *node) bool { return n.name == record.Leader }); i >= 0 {
			return s.nodes[i]
		}
	}
	s.t.Fatal("nobody leads within 30s")
	return nil
}
