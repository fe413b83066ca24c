package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

var etcdKind = kind{
	name:  "etcd",
	data:  []string{"data"},
	ports: 2,
	find:  func() (string, error) { return inPath("etcd") },
	command: func(s *Server) *exec.Cmd {
		clients, peers := etcdURL(s), "http://"+s.hostport(1)
		cmd := exec.Command(s.program,
			"--name", "test",
			"--data-dir", s.path("data"),
			"--listen-client-urls", clients, "--advertise-client-urls", clients,
			"--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
			"--initial-cluster", "test="+peers,
			// The only member waits that long before it elects itself.
			"--heartbeat-interval", "20", "--election-timeout", "200",
			"--logger", "zap", "--log-level", "warn")
		if s.Secret != nil {
			cmd.Args = append(cmd.Args,
				"--cert-file", s.Secret.Cert, "--key-file", s.Secret.Key,
				"--client-cert-auth", "--trusted-ca-file", s.Secret.CA,
				"--bcrypt-cost", "4", // the quickest
				"--auth-token-ttl", "1") // seconds: logins are renewed as they are after 5 min elsewhere
		}
		return cmd
	},
	ready: func(ctx context.Context, s *Server) error {
		if s.Secret != nil {
			return etcdctl(ctx, s, "endpoint", "health")
		}
		health, err := request(ctx, "GET", etcdURL(s)+"/health", "")
		if err == nil && !strings.Contains(health, `"true"`) {
			err = fmt.Errorf("its health: %s", health)
		}
		return err
	},
	secure:   true,
	password: setEtcdPassword,
	// Beside the root that etcd wants there is the user of the Secret, who may
	// read and write the keys that begin with its name and a slash.
	enforce: func(ctx context.Context, s *Server) error {
		user, password := s.Secret.User, s.Secret.Password
		for _, args := range [][]string{
			{"user", "add", "root:" + password},
			{"user", "grant-role", "root", "root"},
			{"role", "add", user},
			{"role", "grant-permission", user, "readwrite", "--prefix", user + "/"},
			{"user", "add", user + ":" + password},
			{"user", "grant-role", user, user},
			{"auth", "enable"},
		} {
			if err := etcdctl(ctx, s, args...); err != nil {
				return err
			}
		}
		return nil
	},
}

// setEtcdPassword sets the user's password, as root, who has the first one for ever.
func setEtcdPassword(ctx context.Context, s *Server, password string) error {
	return etcdctlWith(ctx, s, password+"\n", "user", "passwd", s.Secret.User, "--interactive=false", "--user", "root:"+s.Secret.Password)
}

// etcdctl runs a command on a server that has a Secret.
func etcdctl(ctx context.Context, s *Server, args ...string) error {
	return etcdctlWith(ctx, s, "", args...)
}

func etcdctlWith(ctx context.Context, s *Server, input string, args ...string) error {
	cmd := exec.CommandContext(ctx, "etcdctl", append([]string{
		"--endpoints", etcdURL(s), "--cacert", s.Secret.CA,
		"--cert", s.Secret.ClientCert, "--key", s.Secret.ClientKey,
	}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "ETCDCTL_API=3"} // and no other's settings
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("etcdctl %s %s: %w: %s", args[0], args[1], err, out)
	}
	return nil
}

func etcdURL(s *Server) string {
	if s.Secret != nil {
		return "https://" + s.hostport(0)
	}
	return "http://" + s.hostport(0)
}
