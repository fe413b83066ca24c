package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// PgBouncer starts a PgBouncer for t, which ends it, that pools the
// transactions of its clients on the PostgreSQL server pg. Its Addr is a URL.
func PgBouncer(t testing.TB, pg *Server) *Server {
	t.Helper()
	s := start(t, pgBouncerKind(pg), nil)
	t.Cleanup(s.remove)
	return s
}

func pgBouncerKind(pg *Server) kind {
	return kind{
		name:  "pgbouncer",
		ports: 1,
		find:  func() (string, error) { return inPath("pgbouncer", "/usr/sbin/pgbouncer") },
		setup: func(s *Server) error {
			// Few connections to the server, so that clients do share them.
			// After a failure it would wait for 15 seconds to knock again.
			config := fmt.Sprintf("[databases]\n* = host=127.0.0.1 port=%d user=postgres\n"+
				"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\nauth_type = any\nadmin_users = postgres\n"+
				"pool_mode = transaction\ndefault_pool_size = 4\nmax_client_conn = 1000\nserver_login_retry = 1\n",
				pg.ports[0], s.ports[0])
			return os.WriteFile(s.path("pgbouncer.ini"), []byte(config), 0o644)
		},
		command: func(s *Server) *exec.Cmd {
			cmd := exec.Command(s.program, s.path("pgbouncer.ini"))
			_ = asPostgres(cmd) // it did for pg
			return cmd
		},
		ready: func(ctx context.Context, s *Server) error {
			return connectPostgres(ctx, s.hostport(0))
		},
		addr: postgresKind.addr,
		// Version 1.18 now and then ends with "bad client state" when clients
		// cancel requests, as pgx does with those that it gives up.
		revived: true,
	}
}
