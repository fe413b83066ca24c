package servers

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// clusterMasters is how many masters a Cluster has: as few as can elect another one
// in place of one that is gone.
const clusterMasters = 3

// RedisCluster starts a Redis Cluster of three masters for t, which ends it, and
// returns them.
func RedisCluster(t testing.TB) []*Server {
	t.Helper()
	return RedisClusterWithReplicas(t, 0)
}

// RedisClusterWithReplicas is RedisCluster, where each master has that many
// replicas: they follow the three masters. Where there are any, one of them is the master
// within about three seconds when its own is gone.
func RedisClusterWithReplicas(t testing.TB, replicas int) []*Server {
	t.Helper()
	const slots = 16384
	timeout := "5000"
	if replicas > 0 {
		timeout = "1000"
	}
	node := redisKind
	node.ports = 2
	node.command = func(s *Server) *exec.Cmd {
		return redisCommand(s, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(s.ports[1]), "--cluster-node-timeout", timeout,
			"--repl-diskless-sync-delay", "0")
	}
	var nodes []*Server
	for range clusterMasters * (1 + replicas) {
		nodes = append(nodes, startOther(t, node))
	}
	for i, s := range nodes {
		if i < clusterMasters {
			mustAskRedis(t, s, fmt.Sprintf("CLUSTER ADDSLOTSRANGE %d %d", i*slots/clusterMasters, (i+1)*slots/clusterMasters-1))
		}
		// Different epochs, or they would quarrel about their order.
		mustAskRedis(t, s, fmt.Sprintf("CLUSTER SET-CONFIG-EPOCH %d", i+1))
	}
	for _, s := range nodes[1:] {
		mustAskRedis(t, nodes[0], fmt.Sprintf("CLUSTER MEET 127.0.0.1 %d %d", s.ports[0], s.ports[1]))
	}
	all := func(ok func(ctx context.Context, i int, s *Server) error) func(context.Context) error {
		return func(ctx context.Context) error {
			for i, s := range nodes {
				if err := ok(ctx, i, s); err != nil {
					return err
				}
			}
			return nil
		}
	}
	eventually(t, "the cluster forms", all(func(ctx context.Context, _ int, s *Server) error {
		info, err := askRedis(ctx, s, "CLUSTER INFO")
		if err == nil && (!strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d\r", len(nodes)))) {
			err = fmt.Errorf("%q", info)
		}
		return err
	}))
	if replicas == 0 {
		return nodes
	}
	for i, s := range nodes[clusterMasters:] {
		mustAskRedis(t, s, "CLUSTER REPLICATE "+clusterID(t, nodes[i%clusterMasters]))
	}
	eventually(t, "the replicas follow", all(func(ctx context.Context, i int, s *Server) error {
		info, err := askRedis(ctx, s, "INFO replication")
		want := fmt.Sprintf("connected_slaves:%d\r", replicas)
		if i >= clusterMasters {
			want = "master_link_status:up\r"
		}
		if err == nil && !strings.Contains(info, want) {
			err = fmt.Errorf("%q", info)
		}
		return err
	}))
	return nodes
}

// clusterID returns what the nodes of a Cluster call s.
func clusterID(t testing.TB, s *Server) string {
	t.Helper()
	answer, err := askRedis(t.Context(), s, "CLUSTER MYID")
	_, id, _ := strings.Cut(strings.TrimSpace(answer), "\r\n")
	if err != nil || id == "" {
		t.Fatalf("CLUSTER MYID: %q, %v", answer, err)
	}
	return id
}

func mustAskRedis(t testing.TB, s *Server, command string) {
	t.Helper()
	if answer, err := askRedis(t.Context(), s, command); err != nil || !strings.HasPrefix(answer, "+OK") {
		t.Fatalf("%s: %q, %v", command, answer, err)
	}
}

// MoveSlot moves the slot of a key from the master that has it to another one of the
// nodes, and returns when all nodes know.
func MoveSlot(t testing.TB, nodes []*Server, key string) {
	t.Helper()
	slot := strings.TrimSpace(strings.TrimPrefix(nodes[0].AskRedis("CLUSTER KEYSLOT "+key), ":"))
	from, to := SlotOwner(t, nodes, key), -1
	for i, s := range nodes {
		if i != from && strings.Contains(s.AskRedis("ROLE"), "master") {
			to = i
		}
	}
	if to < 0 {
		t.Fatalf("no other master takes slot %s", slot)
	}
	source, target := clusterID(t, nodes[from]), clusterID(t, nodes[to])
	nodes[to].AskRedis("CLUSTER SETSLOT " + slot + " IMPORTING " + source)
	nodes[from].AskRedis("CLUSTER SETSLOT " + slot + " MIGRATING " + target)
	for {
		answer := nodes[from].AskRedis("CLUSTER GETKEYSINSLOT " + slot + " 10")
		lines := strings.Split(answer, "\r\n") // a number, and a length before each key
		if len(lines) < 4 {
			break
		}
		nodes[from].AskRedis(fmt.Sprintf("MIGRATE 127.0.0.1 %d %s 0 5000", nodes[to].ports[0], lines[2]))
	}
	for _, i := range []int{to, from} {
		nodes[i].AskRedis("CLUSTER SETSLOT " + slot + " NODE " + target)
	}
	if owner := SlotOwner(t, nodes, key); owner != to {
		t.Fatalf("slot %s is at %d, not %d", slot, owner, to)
	}
}

// SlotOwner returns the number of the master that has the slot of a key, once all nodes
// that answer agree on it.
func SlotOwner(t testing.TB, nodes []*Server, key string) int {
	t.Helper()
	owner := -1
	eventually(t, "all nodes agree which master has the slot", func(ctx context.Context) error {
		told := make(map[string]bool) // the ports of the masters that the nodes name
		owner = -1
		for i, s := range nodes {
			// The owner answers by a value, others by the address of the owner.
			answer, err := askRedis(ctx, s, "EXISTS "+key)
			if err != nil {
				continue
			}
			port := strings.TrimSpace(answer[strings.LastIndex(answer, ":")+1:])
			if strings.HasPrefix(answer, ":") {
				owner, port = i, strconv.Itoa(s.ports[0])
			}
			told[port] = true
		}
		if owner < 0 || len(told) != 1 {
			return fmt.Errorf("they name those at the ports %v", slices.Sorted(maps.Keys(told)))
		}
		return nil
	})
	return owner
}
