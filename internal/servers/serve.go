package servers

import (
	"context"
	"os/exec"
	"testing"
)

// Serve starts `leadership serve` for t, which ends it, from a program that was built
// before, on the store of a URL.
func Serve(t testing.TB, program, store string) *Server {
	t.Helper()
	return startOther(t, kind{
		name:  "serve",
		ports: 1,
		find:  func() (string, error) { return program, nil },
		command: func(s *Server) *exec.Cmd {
			return exec.Command(s.program, "serve", "--local", "--store", store, "--listen", s.hostport(0))
		},
		ready: func(ctx context.Context, s *Server) error {
			_, err := request(ctx, "GET", "http://"+s.hostport(0)+"/alive", "")
			return err
		},
	})
}
