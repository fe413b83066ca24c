package servers

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

var etcdKind = kind{
	name:  "etcd",
	ports: 2,
	find:  func() (string, error) { return inPath("etcd") },
	command: func(s *Server) *exec.Cmd {
		clients, peers := "http://"+s.hostport(0), "http://"+s.hostport(1)
		return exec.Command(s.program,
			"--name", "test",
			"--data-dir", s.path("data"),
			"--listen-client-urls", clients, "--advertise-client-urls", clients,
			"--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
			"--initial-cluster", "test="+peers,
			// The only member waits that long before it elects itself.
			"--heartbeat-interval", "20", "--election-timeout", "200",
			"--logger", "zap", "--log-level", "warn")
	},
	ready: func(ctx context.Context, s *Server) error {
		health, err := request(ctx, "GET", "http://"+s.hostport(0)+"/health", "")
		if err == nil && !strings.Contains(health, `"true"`) {
			err = fmt.Errorf("its health: %s", health)
		}
		return err
	},
}
