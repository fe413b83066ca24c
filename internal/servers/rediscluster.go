package servers

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// RedisCluster starts a Redis Cluster of three masters for t, which ends them.
func RedisCluster(t testing.TB) []*Server {
	t.Helper()
	const slots = 16384
	node := redisKind
	node.ports = 2
	node.command = func(s *Server) *exec.Cmd {
		return redisCommand(s, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(s.ports[1]), "--cluster-node-timeout", "5000")
	}
	nodes := []*Server{startOther(t, node), startOther(t, node), startOther(t, node)}
	for i, s := range nodes {
		command := fmt.Sprintf("CLUSTER ADDSLOTSRANGE %d %d", i*slots/len(nodes), (i+1)*slots/len(nodes)-1)
		mustAskRedis(t, s, command)
		// Different epochs, or they would quarrel about their order.
		mustAskRedis(t, s, fmt.Sprintf("CLUSTER SET-CONFIG-EPOCH %d", i+1))
	}
	for _, s := range nodes[1:] {
		mustAskRedis(t, nodes[0], fmt.Sprintf("CLUSTER MEET 127.0.0.1 %d %d", s.ports[0], s.ports[1]))
	}
	eventually(t, "the cluster forms", func(ctx context.Context) error {
		for _, s := range nodes {
			info, err := askRedis(ctx, s, "CLUSTER INFO")
			if err != nil {
				return err
			}
			if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_known_nodes:3") {
				return fmt.Errorf("%q", info)
			}
		}
		return nil
	})
	return nodes
}

func mustAskRedis(t testing.TB, s *Server, command string) {
	t.Helper()
	if answer, err := askRedis(t.Context(), s, command); err != nil || !strings.HasPrefix(answer, "+OK") {
		t.Fatalf("%s: %q, %v", command, answer, err)
	}
}
