package servers

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	_ "github.com/go-sql-driver/mysql" // to ask it whether it is up
)

var mariaDBKind = kind{
	name:  "mariadb",
	ports: 1,
	find:  func() (string, error) { return inPath("mariadbd", "/usr/sbin/mariadbd") },
	setup: func(s *Server) error {
		if err := os.MkdirAll(s.path("data", "test"), 0o700); err != nil { // a folder is a database
			return err
		}
		// It has no system tables, which would take longer to make than all the
		// rest. But its files have to be there: were it killed while it first
		// makes them, it would not start again.
		if out, err := exec.Command(s.program, mariaDBArgs(s, "--bootstrap")...).CombinedOutput(); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
		return nil
	},
	command: func(s *Server) *exec.Cmd {
		return exec.Command(s.program, mariaDBArgs(s,
			"--socket="+s.path("socket"), "--pid-file="+s.path("pid"),
			"--bind-address=127.0.0.1", "--port="+strconv.Itoa(s.ports[0]), "--skip-name-resolve",
			"--character-set-server=utf8mb4", "--max-connections=200")...)
	},
	ready: func(ctx context.Context, s *Server) error {
		db, err := sql.Open("mysql", mariaDBAddr(s.hostport(0)))
		if err != nil {
			return err
		}
		defer db.Close()
		_, err = db.ExecContext(ctx, "SELECT 1")
		return err
	},
	addr: mariaDBAddr,
}

func mariaDBArgs(s *Server, more ...string) []string {
	args := []string{
		"--no-defaults", "--datadir=" + s.path("data"), "--skip-grant-tables",
		"--innodb-log-file-size=16M", "--innodb-buffer-pool-size=32M",
	}
	if os.Getuid() == 0 {
		args = append(args, "--user=root") // else it refuses
	}
	return append(args, more...)
}

// mariaDBAddr is a data source name for github.com/go-sql-driver/mysql.
func mariaDBAddr(hostport string) string { return "root@tcp(" + hostport + ")/test" }
