package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// SentinelMaster is what the Sentinels call the master that they watch.
const SentinelMaster = "main"

// RedisSentinels is a Redis master with a replica, and three Sentinels which make
// the replica the master within about two seconds when that is gone.
type RedisSentinels struct {
	Master, Replica *Server

	// Addrs are the Sentinels'.
	Addrs []string
}

// RedisSentinel starts a Redis with a replica and Sentinels for t, which ends
// them.
func RedisSentinel(t testing.TB) *RedisSentinels {
	t.Helper()
	master := Redis(t)
	replica := redisKind
	replica.command = func(s *Server) *exec.Cmd {
		return redisCommand(s, "--replicaof", "127.0.0.1", strconv.Itoa(master.ports[0]), "--repl-diskless-sync-delay", "0")
	}
	set := &RedisSentinels{Master: master, Replica: startOther(t, replica)}
	sentinel := sentinelKind(master)
	var sentinels []*Server
	for range 3 {
		s := startOther(t, sentinel)
		sentinels = append(sentinels, s)
		set.Addrs = append(set.Addrs, s.Addr)
	}
	eventually(t, "the Sentinels find the replica and each other", func(ctx context.Context) error {
		for _, s := range sentinels {
			state, err := askRedis(ctx, s, "SENTINEL MASTER "+SentinelMaster)
			if err != nil {
				return err
			}
			// Each field is followed by the length and the text of its value.
			if !strings.Contains(state, "num-slaves\r\n$1\r\n1\r\n") || !strings.Contains(state, "num-other-sentinels\r\n$1\r\n2\r\n") {
				return fmt.Errorf("%q", state)
			}
		}
		role, err := askRedis(ctx, set.Replica, "ROLE")
		if err == nil && !strings.Contains(role, "\r\nconnected\r\n") {
			err = fmt.Errorf("the replica's role: %q", role)
		}
		return err
	})
	return set
}

func sentinelKind(master *Server) kind {
	return kind{
		name:  "redis-sentinel",
		ports: 1,
		find:  redisKind.find,
		setup: func(s *Server) error {
			config := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nsentinel monitor %s 127.0.0.1 %d 2\n"+
				"sentinel down-after-milliseconds %[3]s 500\nsentinel failover-timeout %[3]s 3000\n",
				s.ports[0], s.dir, SentinelMaster, master.ports[0])
			return os.WriteFile(s.path("sentinel.conf"), []byte(config), 0o600)
		},
		command: func(s *Server) *exec.Cmd { return exec.Command(s.program, s.path("sentinel.conf"), "--sentinel") },
		ready:   redisKind.ready,
	}
}

// startOther starts a server of a kind that New does not know for t, which ends
// it.
func startOther(t testing.TB, k kind) *Server {
	t.Helper()
	s := start(t, k, nil)
	t.Cleanup(s.remove)
	return s
}

// eventually waits until ok returns nil.
func eventually(t testing.TB, what string, ok func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	for {
		err := ok(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %v: %v", what, startTimeout, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
