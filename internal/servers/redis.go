package servers

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

var redisKind = kind{
	name:  "redis",
	ports: 1,
	find:  func() (string, error) { return inPath("redis-server") },
	command: func(s *Server) *exec.Cmd {
		// Every write is on disk before it is acknowledged: what is killed here
		// comes back with all that it had promised.
		return exec.Command(s.program,
			"--bind", "127.0.0.1", "--port", strconv.Itoa(s.ports[0]),
			"--dir", s.dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always")
	},
	ready: func(ctx context.Context, s *Server) error {
		answer, err := ask(ctx, s.hostport(0), "PING\r\nQUIT\r\n")
		if err == nil && !strings.HasPrefix(answer, "+PONG") {
			err = fmt.Errorf("its answer to PING: %q", answer)
		}
		return err
	},
}
