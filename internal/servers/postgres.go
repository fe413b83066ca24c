package servers

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

var postgresKind = kind{
	name:  "postgres",
	ports: 1,
	find: func() (string, error) {
		// Debian keeps the server's programs out of $PATH. What is found there
		// may be a link to one of them, and the others are beside the original.
		initdb, err := inPath("initdb", "/usr/lib/postgresql/*/bin/initdb")
		if err != nil {
			return "", err
		}
		return filepath.EvalSymlinks(initdb)
	},
	setup: func(s *Server) error {
		if err := os.Mkdir(s.path("data"), 0o700); err != nil {
			return err
		}
		if err := giveToPostgres(s.path("data")); err != nil {
			return err
		}
		initdb := exec.Command(s.program, "-D", s.path("data"), "--username=postgres", "--auth=trust",
			"--encoding=UTF8", "--locale=C", "--no-sync")
		initdb.Dir = s.path("data")
		if err := asPostgres(initdb); err != nil {
			return err
		}
		if out, err := initdb.CombinedOutput(); err != nil {
			return fmt.Errorf("initdb: %w\n%s", err, out)
		}
		return nil
	},
	command: func(s *Server) *exec.Cmd {
		cmd := exec.Command(filepath.Join(filepath.Dir(s.program), "postgres"),
			"-D", s.path("data"), "-h", "127.0.0.1", "-p", strconv.Itoa(s.ports[0]),
			"-k", "", // no Unix socket: its usual folder may be somebody else's
			"-c", "max_connections=200",
			"-c", "dynamic_shared_memory_type=mmap") // files in its own folder
		cmd.Dir = s.path("data")
		_ = asPostgres(cmd) // it did for initdb
		return cmd
	},
	ready: func(ctx context.Context, s *Server) error {
		return connectPostgres(ctx, s.hostport(0))
	},
	tidy: true, // shared memory of the system
	addr: func(hostport string) string {
		return "postgres://postgres@" + hostport + "/postgres?sslmode=disable"
	},
}

// connectPostgres opens a session and closes it. pg_isready would say less: it
// is content with a server that takes no sessions yet.
func connectPostgres(ctx context.Context, addr string) error {
	const parameters = "user\x00postgres\x00database\x00postgres\x00\x00"
	startup := binary.BigEndian.AppendUint32(nil, uint32(8+len(parameters)))
	startup = binary.BigEndian.AppendUint32(startup, 3<<16) // version 3.0 of the protocol
	startup = append(startup, parameters...)
	terminate := []byte{'X', 0, 0, 0, 4}
	answer, err := ask(ctx, addr, string(startup)+string(terminate))
	if err != nil {
		return err
	}
	// AuthenticationOk at its beginning, ReadyForQuery (idle) at its end.
	if !strings.HasPrefix(answer, "R\x00\x00\x00\x08\x00\x00\x00\x00") || !strings.HasSuffix(answer, "Z\x00\x00\x00\x05I") {
		return fmt.Errorf("its answer to a session: %q", answer)
	}
	return nil
}
