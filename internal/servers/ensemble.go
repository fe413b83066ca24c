package servers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Ensemble is three members of etcd or ZooKeeper, which vote, and a fourth that is not
// one yet.
type Ensemble struct {
	Members []*Server // the first three

	t       testing.TB
	all     []*Server
	kind    ensembleKind
	clients []int // ports for clients, one each
	peers   []int // ports at which they talk to each other, one each or two
}

// ensembleSize is how many members there are at first.
const ensembleSize = 3

type ensembleKind struct {
	kind

	peerPorts int
	// command starts the i-th of e, which joins those that there are if it is a late one.
	command func(e *Ensemble, s *Server, i int) *exec.Cmd
	setup   func(e *Ensemble, s *Server, i int) error
	leads   func(ctx context.Context, s *Server) (bool, error)
	// replace makes the newcomer a member in place of old, by another member.
	replace func(ctx context.Context, e *Ensemble, by, old, newcomer *Server) error
}

// NewEnsemble starts three members of etcd or ZooKeeper for t, which ends them.
func NewEnsemble(t testing.TB, name string) *Ensemble {
	t.Helper()
	k, ok := map[string]ensembleKind{"etcd": etcdEnsemble, "zookeeper": zooKeeperEnsemble}[name]
	if !ok {
		t.Fatalf("no ensemble of %q: there are those of etcd and zookeeper", name)
	}
	ports, err := freePorts((ensembleSize + 1) * (1 + k.peerPorts))
	if err != nil {
		t.Fatal(err)
	}
	e := &Ensemble{t: t, kind: k, clients: ports[:ensembleSize+1], peers: ports[ensembleSize+1:]}
	for range ensembleSize {
		e.add()
	}
	e.Members = e.all
	e.Await()
	return e
}

// add starts another server. It answers only when most of them do: so that it listens is
// all that is waited for.
func (e *Ensemble) add() *Server {
	e.t.Helper()
	i := len(e.all)
	k := e.kind.kind
	k.fixed = e.clients[i : i+1]
	k.setup, k.secure, k.enforce = nil, false, nil
	if e.kind.setup != nil {
		k.setup = func(s *Server) error { return e.kind.setup(e, s, i) }
	}
	k.command = func(s *Server) *exec.Cmd { return e.kind.command(e, s, i) }
	k.ready = func(ctx context.Context, s *Server) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.hostport(0))
		if err == nil {
			conn.Close()
		}
		return err
	}
	s := startOther(e.t, k)
	e.all = append(e.all, s)
	return s
}

// Await waits until most members serve clients.
func (e *Ensemble) Await() {
	e.t.Helper()
	eventually(e.t, "the ensemble has a leader", func(ctx context.Context) error {
		_, err := e.leader(ctx)
		return err
	})
}

// Leader returns the number of the member that leads the others.
func (e *Ensemble) Leader() int {
	e.t.Helper()
	var leader int
	eventually(e.t, "the ensemble has a leader", func(ctx context.Context) (err error) {
		leader, err = e.leader(ctx)
		return err
	})
	return leader
}

func (e *Ensemble) leader(ctx context.Context) (int, error) {
	var errs []error
	for i, s := range e.all {
		leads, err := e.kind.leads(ctx, s)
		if leads {
			return i, nil
		}
		errs = append(errs, err)
	}
	return 0, fmt.Errorf("none leads: %w", errors.Join(errs...))
}

// Replace has a newcomer be a member in place of the i-th, which it stops, and returns
// when it listens. It can be called once. Clients that know the first three alone reach two.
func (e *Ensemble) Replace(i int) {
	e.t.Helper()
	by := e.all[(i+1)%ensembleSize]
	// etcd refuses while a member has not been there for five seconds.
	eventually(e.t, "a member is removed", func(ctx context.Context) error { return e.kind.replace(ctx, e, by, e.all[i], nil) })
	e.all[i].Stop()
	newcomer := e.add()
	eventually(e.t, "another member is added", func(ctx context.Context) error { return e.kind.replace(ctx, e, by, nil, newcomer) })
}

var etcdEnsemble = ensembleKind{
	kind:      etcdKind,
	peerPorts: 1,
	command: func(e *Ensemble, s *Server, i int) *exec.Cmd {
		var cluster []string
		for j := range ensembleSize {
			cluster = append(cluster, fmt.Sprintf("m%d=%s", j, e.etcdPeer(j)))
		}
		state := "new"
		if i >= ensembleSize {
			state = "existing"
			for j, s := range e.all[:ensembleSize] {
				if s.Stopped() {
					cluster[j] = fmt.Sprintf("m%d=%s", i, e.etcdPeer(i))
				}
			}
		}
		clients, peer := etcdURL(s), e.etcdPeer(i)
		return exec.Command(s.program,
			"--name", fmt.Sprintf("m%d", i), "--data-dir", s.path("data"),
			"--listen-client-urls", clients, "--advertise-client-urls", clients,
			"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
			"--initial-cluster", strings.Join(cluster, ","), "--initial-cluster-state", state,
			"--heartbeat-interval", "50", "--election-timeout", "500",
			"--logger", "zap", "--log-level", "warn")
	},
	leads: func(ctx context.Context, s *Server) (bool, error) {
		var status struct {
			Header struct {
				Member string `json:"member_id"`
			}
			Leader string
		}
		err := askEtcd(ctx, s, "/v3/maintenance/status", "{}", &status)
		return err == nil && status.Leader != "" && status.Leader == status.Header.Member, err
	},
	replace: func(ctx context.Context, e *Ensemble, by, old, newcomer *Server) error {
		if newcomer != nil {
			return nil // it became one when old ceased to be
		}
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second) // it may wait for a leader for good
		defer cancel()
		var list struct {
			Members []struct {
				ID, Name string
				PeerURLs []string
			}
		}
		if err := askEtcd(ctx, by, "/v3/cluster/member/list", "{}", &list); err != nil {
			return err
		}
		peer := e.etcdPeer(ensembleSize)
		for _, m := range list.Members {
			if slices.Contains(m.PeerURLs, peer) {
				return nil
			}
			if i := slices.Index(e.all, old); m.Name == fmt.Sprintf("m%d", i) {
				if err := askEtcd(ctx, by, "/v3/cluster/member/remove", fmt.Sprintf(`{"ID": %q}`, m.ID), nil); err != nil {
					return err
				}
			}
		}
		return askEtcd(ctx, by, "/v3/cluster/member/add", fmt.Sprintf(`{"peerURLs": [%q]}`, peer), nil)
	},
}

func (e *Ensemble) etcdPeer(i int) string { return fmt.Sprintf("http://127.0.0.1:%d", e.peers[i]) }

// askEtcd makes a request of its JSON gateway. answer may be nil.
func askEtcd(ctx context.Context, s *Server, path, question string, answer any) error {
	text, err := request(ctx, "POST", etcdURL(s)+path, question)
	if err == nil && answer != nil {
		err = json.Unmarshal([]byte(text), answer)
	}
	return err
}

var zooKeeperEnsemble = ensembleKind{
	kind:      zooKeeperKind,
	peerPorts: 2,
	setup: func(e *Ensemble, s *Server, i int) error {
		if err := os.MkdirAll(s.path("data"), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(s.path("data", "myid"), []byte(strconv.Itoa(i+1)), 0o644); err != nil {
			return err
		}
		config := fmt.Sprintf("dataDir=%s\ntickTime=100\ninitLimit=50\nsyncLimit=10\nmaxClientCnxns=0\nminSessionTimeout=400\n"+
			"maxSessionTimeout=4000\nadmin.enableServer=false\n4lw.commands.whitelist=*\nreconfigEnabled=true\nskipACL=yes\n"+
			"standaloneEnabled=false\ndynamicConfigFile=%s\n", s.path("data"), s.path("members"))
		var members strings.Builder
		for j := range max(ensembleSize, i+1) {
			if i >= ensembleSize && j < ensembleSize && e.all[j].Stopped() {
				continue
			}
			members.WriteString(e.zooKeeperMember(j))
		}
		if err := os.WriteFile(s.path("members"), []byte(members.String()), 0o644); err != nil {
			return err
		}
		return os.WriteFile(s.path("zoo.cfg"), []byte(config), 0o644)
	},
	command: func(_ *Ensemble, s *Server, _ int) *exec.Cmd { return zooKeeperKind.command(s) },
	leads: func(ctx context.Context, s *Server) (bool, error) {
		conn, err := dialZooKeeper(ctx, s)
		if err != nil {
			return false, err
		}
		answer, err := askOver(ctx, conn, "srvr")
		return err == nil && strings.Contains(answer, "Mode: leader"), err
	},
	replace: func(ctx context.Context, e *Ensemble, by, old, newcomer *Server) error {
		args := []string{"-cp", zooKeeperJar + ":" + simpleLogger + ":" + nettyJars, "org.apache.zookeeper.ZooKeeperMain", "-server", by.hostport(0), "reconfig"}
		for i, s := range e.all {
			switch s {
			case old:
				args = append(args, "-remove", strconv.Itoa(i+1))
			case newcomer:
				args = append(args, "-add", strings.TrimSpace(e.zooKeeperMember(i)))
			}
		}
		cmd := exec.CommandContext(ctx, by.program, args...)
		cmd.Dir = filepath.Dir(by.dir)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "Committed new configuration") {
			return fmt.Errorf("reconfig: %w: %s", err, out)
		}
		return nil
	},
}

// zooKeeperMember returns a line of the list of members.
func (e *Ensemble) zooKeeperMember(i int) string {
	return fmt.Sprintf("server.%d=127.0.0.1:%d:%d:participant;127.0.0.1:%d\n", i+1, e.peers[2*i], e.peers[2*i+1], e.clients[i])
}
