package servers

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
)

// consulVersion is what install.sh builds.
const consulVersion = "1.21.0"

var consulKind = kind{
	name:  "consul",
	data:  []string{"data"},
	ports: 3,
	find: func() (string, error) {
		cache, err := os.UserCacheDir()
		if err != nil {
			return inPath("consul")
		}
		return inPath("consul", filepath.Join(cache, "leadership", "consul-"+consulVersion, "consul"))
	},
	setup: func(s *Server) error {
		// Tests of stores alone open more watches than any election does.
		limit := 10000
		if s.kind.plain {
			limit = 200 // Consul's default
		}
		settings := map[string]any{
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
			"limits":               map[string]int{"http_max_conns_per_client": limit},
			"log_level":            "warn",
			// Counters that last, of requests, for who measures.
			"telemetry": map[string]string{"prometheus_retention_time": "1h"},
		}
		if s.Secret != nil {
			s.secureConsul(settings)
		}
		config, err := json.Marshal(settings)
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
		const path = "/v1/kv/leadership-servers/ready"
		if answer, err := s.askConsul(ctx, "PUT", path, "yes"); err != nil {
			return err
		} else if answer != "true" {
			return fmt.Errorf("its answer to a write: %q", answer)
		}
		_, err := s.askConsul(ctx, "DELETE", path, "")
		return err
	},
	secure: true,
	// A token that may write the keys of its user and nothing else: the least
	// that an election needs.
	enforce: func(ctx context.Context, s *Server) error {
		rules, err := json.Marshal(fmt.Sprintf("key_prefix %q { policy = \"write\" }", s.Secret.User+"/"))
		if err != nil {
			return err
		}
		if _, err := s.askConsul(ctx, "PUT", "/v1/acl/policy", fmt.Sprintf(`{"Name": %q, "Rules": %s}`, s.Secret.User, rules)); err != nil {
			return err
		}
		// Consul wants a UUID.
		s.Secret.Password = "5ec2e7aa-0000-4000-8000-25a00f0a9954"
		return s.consulToken(ctx, s.Secret.Password)
	},
	password: func(ctx context.Context, s *Server, password string) error {
		if err := s.consulToken(ctx, password); err != nil {
			return err
		}
		_, err := s.askConsul(ctx, "DELETE", "/v1/acl/token/"+accessorOf(s.Secret.Password), "")
		return err
	},
}

// consulToken makes a token for the user of the Secret.
func (s *Server) consulToken(ctx context.Context, token string) error {
	_, err := s.askConsul(ctx, "PUT", "/v1/acl/token", fmt.Sprintf(
		`{"AccessorID": %q, "SecretID": %q, "Policies": [{"Name": %q}]}`, accessorOf(token), token, s.Secret.User))
	return err
}

// accessorOf returns the name of a token that is a UUID.
func accessorOf(token string) string { return "acce5507" + token[8:] }

// consulManagement is the token that may do anything.
const consulManagement = "5ec2e7aa-0000-4000-8000-0a11fa117a11"

// secureConsul has clients show a certificate, and a token for all they do.
func (s *Server) secureConsul(settings map[string]any) {
	ports := settings["ports"].(map[string]int)
	ports["https"], ports["http"] = ports["http"], -1
	settings["tls"] = map[string]any{"defaults": map[string]any{
		"ca_file": s.Secret.CA, "cert_file": s.Secret.Cert, "key_file": s.Secret.Key,
		"verify_incoming": true, "verify_outgoing": true,
	}}
	settings["acl"] = map[string]any{
		"enabled":        true,
		"default_policy": "deny",
		"tokens":         map[string]string{"initial_management": consulManagement, "agent": consulManagement},
	}
}

// askConsul makes a request of somebody who may do anything.
func (s *Server) askConsul(ctx context.Context, method, path, body string) (string, error) {
	if s.Secret == nil {
		return request(ctx, method, "http://"+s.hostport(0)+path, body)
	}
	config, err := s.tlsOfClient()
	if err != nil {
		return "", err
	}
	header := http.Header{"X-Consul-Token": {consulManagement}}
	return requestBy(ctx, newClient(config), header, method, "https://"+s.hostport(0)+path, body)
}
