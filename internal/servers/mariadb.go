package servers

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
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
		_, err := queryMariaDB(ctx, s.hostport(0), "SELECT 1")
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

// queryMariaDB opens a session, runs a statement, and returns all that the server
// answers. Its protocol has packets: three bytes of length, a number, the content.
func queryMariaDB(ctx context.Context, addr, statement string) (string, error) {
	packet := func(number byte, content string) string {
		return string(append(binary.LittleEndian.AppendUint32(nil, uint32(len(content)))[:3], number)) + content
	}
	// Version 4.1 of the protocol with a database, packets of up to 16 MB, UTF-8, no password.
	const login = "\x08\x82\x00\x00" + "\x00\x00\x00\x01" + "\x2d"
	answer, err := ask(ctx, addr, packet(1, login+strings.Repeat("\x00", 23)+"root\x00"+"\x00"+"test\x00")+
		packet(0, "\x03"+statement)+packet(0, "\x01")) // a query, and the end
	packets := 0
	for rest := answer; len(rest) > 4 && err == nil; packets++ {
		length := min(int(binary.LittleEndian.Uint32([]byte(rest[:3]+"\x00"))), len(rest)-4)
		if rest[4] == 0xff {
			err = fmt.Errorf("its answer to %q: %q", statement, rest[4:4+length])
		}
		rest = rest[4+length:]
	}
	// It greets, lets in, and answers.
	if err == nil && packets < 3 {
		err = fmt.Errorf("its answer to %q: %q", statement, answer)
	}
	return answer, err
}
