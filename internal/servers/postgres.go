package servers

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

var postgresKind = kind{
	name:  "postgres",
	data:  []string{"data"},
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
		args := []string{
			"-D", s.path("data"), "--username=postgres", "--auth=trust",
			"--encoding=UTF8", "--locale=C", "--no-sync",
		}
		if s.Secret != nil {
			// The last of each wins.
			if err := postgresFile(s, "password", []byte(s.Secret.Password+"\n")); err != nil {
				return err
			}
			args = append(args, "--username="+s.Secret.User, "--auth=scram-sha-256", "--pwfile="+s.path("password"))
		}
		initdb := exec.Command(s.program, args...)
		initdb.Dir = s.path("data")
		if err := asPostgres(initdb); err != nil {
			return err
		}
		if out, err := initdb.CombinedOutput(); err != nil {
			return fmt.Errorf("initdb: %w\n%s", err, out)
		}
		if s.Secret != nil {
			return securePostgres(s)
		}
		return nil
	},
	command: func(s *Server) *exec.Cmd {
		connections := "200"
		if s.kind.plain {
			connections = "100" // PostgreSQL's default
		}
		args := []string{
			"-D", s.path("data"), "-h", "127.0.0.1", "-p", strconv.Itoa(s.ports[0]),
			"-k", "", // no Unix socket: its usual folder may be somebody else's
			"-c", "max_connections=" + connections,
			"-c", "dynamic_shared_memory_type=mmap", // files in its own folder
		}
		if s.Secret != nil {
			args = append(args, "-c", "ssl=on",
				"-c", "ssl_cert_file="+s.Secret.Cert, "-c", "ssl_key_file="+s.path("key"), "-c", "ssl_ca_file="+s.Secret.CA)
		}
		cmd := exec.Command(filepath.Join(filepath.Dir(s.program), "postgres"), args...)
		cmd.Dir = s.path("data")
		_ = asPostgres(cmd) // it did for initdb
		return cmd
	},
	ready: func(ctx context.Context, s *Server) error {
		err := connectPostgres(ctx, s.hostport(0))
		// It looks whether it may let somebody in only once it can.
		var answer postgresAnswer
		if s.Secret != nil && errors.As(err, &answer) && strings.Contains(string(answer), "no pg_hba.conf entry") {
			return nil
		}
		return err
	},
	tidy: true, // shared memory of the system
	addr: func(hostport string) string {
		return "postgres://postgres@" + hostport + "/postgres?sslmode=disable"
	},
	secure:  true,
	secrets: postgresKey,
	password: func(ctx context.Context, s *Server, password string) error {
		// It takes no key that others may read.
		key, err := os.ReadFile(s.Secret.ClientKey)
		if err == nil {
			err = os.WriteFile(s.path("client.key"), key, 0o600)
		}
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(s.program), "psql"), "-X", "-v", "ON_ERROR_STOP=1", "-v", "user="+s.Secret.User,
			"-v", "password="+password, fmt.Sprintf("host=127.0.0.1 port=%d dbname=postgres", s.ports[0]))
		cmd.Env = []string{
			"PGUSER=" + s.Secret.User, "PGPASSWORD=" + s.Secret.Password, "PGSSLMODE=verify-full",
			"PGSSLROOTCERT=" + s.Secret.CA, "PGSSLCERT=" + s.Secret.ClientCert, "PGSSLKEY=" + s.path("client.key"),
		}
		cmd.Stdin = strings.NewReader("ALTER ROLE :\"user\" PASSWORD :'password'")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("psql: %w: %s", err, out)
		}
		return nil
	},
}

// securePostgres lets nobody in but over TLS, with a certificate of the
// authority and a password.
func securePostgres(s *Server) error {
	if err := postgresKey(s); err != nil {
		return err
	}
	const rule = "hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca\n"
	return os.WriteFile(s.path("data", "pg_hba.conf"), []byte(rule), 0o600) // and stays the server's
}

// postgresKey copies the server's key: it wants to be the only one who may read it.
func postgresKey(s *Server) error {
	key, err := os.ReadFile(s.Secret.Key)
	if err != nil {
		return err
	}
	return postgresFile(s, "key", key)
}

// postgresFile writes a file that the user who runs the server may read, and
// nobody else.
func postgresFile(s *Server, name string, content []byte) error {
	if err := os.WriteFile(s.path(name), content, 0o600); err != nil {
		return err
	}
	return giveToPostgres(s.path(name))
}

// postgresAnswer is what a server said that did not open a session.
type postgresAnswer string

func (a postgresAnswer) Error() string { return fmt.Sprintf("its answer to a session: %q", string(a)) }

// connectPostgres opens a session and closes it. pg_isready would say less: it
// is content with a server that takes no sessions yet.
func connectPostgres(ctx context.Context, addr string) error {
	_, err := sessionPostgres(ctx, addr, "")
	return err
}

// PostgresHello returns what a client sends first: the user and the database.
func PostgresHello() string {
	const parameters = "user\x00postgres\x00database\x00postgres\x00\x00"
	startup := binary.BigEndian.AppendUint32(nil, uint32(8+len(parameters)))
	startup = binary.BigEndian.AppendUint32(startup, 3<<16) // version 3.0 of the protocol
	return string(append(startup, parameters...))
}

// sessionPostgres opens a session, sends messages, and returns all that the
// server answers.
func sessionPostgres(ctx context.Context, addr, messages string) (string, error) {
	terminate := []byte{'X', 0, 0, 0, 4}
	answer, err := ask(ctx, addr, PostgresHello()+messages+string(terminate))
	if err != nil {
		return "", err
	}
	// AuthenticationOk at its beginning, ReadyForQuery (idle) at its end.
	if !strings.HasPrefix(answer, "R\x00\x00\x00\x08\x00\x00\x00\x00") || !strings.HasSuffix(answer, "Z\x00\x00\x00\x05I") {
		return "", postgresAnswer(answer)
	}
	return answer, nil
}
