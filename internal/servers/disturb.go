package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/seed-a1d591d3/leadership/internal/certs"
)

// Rotate gives the server, and the files of its Secret, the certificates of another
// authority, and starts it anew: the former ones are of no use any more.
func (s *Server) Rotate() {
	s.t.Helper()
	s.Stop()
	s.Secret.Become(s.t, certs.New(s.t))
	if s.kind.secrets != nil {
		if err := s.kind.secrets(s); err != nil {
			s.t.Fatalf("rotate the certificates of %s: %v", s.kind.name, err)
		}
	}
	s.Start()
}

// NewPassword makes the server take another password of the Secret's user, which for Consul is
// a UUID, and refuse the present one, also on connections that there are.
func (s *Server) NewPassword(password string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := s.kind.password(ctx, s, password); err != nil {
		s.t.Fatalf("set a password of %s: %v", s.kind.name, err)
	}
	s.Secret.Password = password
	s.Restart()
}

// Wipe starts the server anew without its data, as one that takes its place. Not for one
// with a Secret, whose users are lost with the data.
func (s *Server) Wipe() {
	s.t.Helper()
	s.Stop()
	s.removeData()
	if s.kind.setup != nil {
		if err := s.kind.setup(s); err != nil {
			s.t.Fatalf("set up %s again: %v", s.kind.name, err)
		}
	}
	s.Start()
}

// Save has Restore bring back the data of now. It starts the server anew.
func (s *Server) Save() {
	s.t.Helper()
	s.Stop()
	for _, name := range s.kind.data {
		copyAll(s.t, s.path(name), s.path("saved-"+name))
	}
	s.Start()
}

// Restore starts the server anew with the data that it had at Save.
func (s *Server) Restore() {
	s.t.Helper()
	s.Stop()
	s.removeData()
	for _, name := range s.kind.data {
		copyAll(s.t, s.path("saved-"+name), s.path(name))
	}
	s.Start()
}

func (s *Server) removeData() {
	s.t.Helper()
	for _, name := range s.kind.data {
		if err := os.RemoveAll(s.path(name)); err != nil {
			s.t.Fatal(err)
		}
	}
}

// copyAll copies a file or folder, if it is there, and who owns it.
func copyAll(t testing.TB, from, to string) {
	t.Helper()
	if _, err := os.Stat(from); os.IsNotExist(err) {
		return
	}
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatal(fmt.Errorf("copy %s: %w: %s", from, err, out))
	}
}

// TerminateBackends ends all sessions that clients have on a PostgreSQL.
func (s *Server) TerminateBackends() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	const statement = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
	if _, err := queryPostgres(ctx, s.hostport(0), statement); err != nil {
		s.t.Fatalf("terminate the backends of %s: %v", s.kind.name, err)
	}
}

// AskRedis has a Redis carry out a command, and returns its answer.
func (s *Server) AskRedis(command string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	answer, err := askRedis(ctx, s, command)
	if err != nil || strings.HasPrefix(answer, "-") {
		s.t.Fatalf("%s: %q, %v", command, answer, err)
	}
	return answer
}

// Version returns what the program of the server of that name calls its version.
func Version(name string) (string, error) {
	k, ok := kinds[name]
	if name == "pgbouncer" {
		k, ok = pgBouncerKind(nil), true
	}
	if !ok {
		return "", fmt.Errorf("no server %q", name)
	}
	program, err := k.find()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(program, "--version")
	if name == "zookeeper" {
		cmd = exec.Command(program, "-cp", zooKeeperJar, "org.apache.zookeeper.Version", "--short")
	}
	out, err := cmd.Output()
	first, _, _ := strings.Cut(string(out), "\n")
	if name == "zookeeper" {
		first = "ZooKeeper " + first
	}
	return first, err
}
