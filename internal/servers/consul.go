package servers

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// consulVersion is what install.sh builds.
const consulVersion = "1.21.0"

var consulKind = kind{
	name:  "consul",
	ports: 3,
	find: func() (string, error) {
		cache, err := os.UserCacheDir()
		if err != nil {
			return inPath("consul")
		}
		return inPath("consul", filepath.Join(cache, "leadership", "consul-"+consulVersion, "consul"))
	},
	setup: func(s *Server) error {
		config, err := json.Marshal(map[string]any{
			"node_name": "test",
			// A true server: an agent with -dev keeps nothing on disk.
			"server":           true,
			"bootstrap_expect": 1,
			"data_dir":         s.path("data"),
			"bind_addr":        "127.0.0.1",
			"client_addr":      "127.0.0.1",
			"ports": map[string]int{
				"http": s.ports[0], "server": s.ports[1], "serf_lan": s.ports[2],
				"serf_wan": -1, "dns": -1, "grpc": -1, "grpc_tls": -1,
			},
			// The quickest timings of raft that may be had.
			"performance": map[string]any{"raft_multiplier": 1},
			// Nothing but the store.
			"connect":              map[string]bool{"enabled": false},
			"disable_update_check": true,
			"disable_remote_exec":  true,
			// The adapter keeps two idle connections and opens many.
			"limits":    map[string]int{"http_max_conns_per_client": 10000},
			"log_level": "warn",
		})
		if err != nil {
			return err
		}
		return os.WriteFile(s.path("consul.json"), config, 0o644)
	},
	command: func(s *Server) *exec.Cmd {
		return exec.Command(s.program, "agent", "-config-file", s.path("consul.json"))
	},
	ready: func(ctx context.Context, s *Server) error {
		// A write: reads, and the list of members, are there before a leader is.
		url := "http://" + s.hostport(0) + "/v1/kv/leadership-servers/ready"
		if answer, err := request(ctx, "PUT", url, "yes"); err != nil {
			return err
		} else if answer != "true" {
			return fmt.Errorf("its answer to a write: %q", answer)
		}
		_, err := request(ctx, "DELETE", url, "")
		return err
	},
}
