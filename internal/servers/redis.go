package servers

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// RedisRights are all that the user of a secure server may do: the least that
// store/redis needs, for keys that begin with service/. Its documentation has
// them too.
const RedisRights = "~service/* &leadership:service/* -@all" +
	" +eval +evalsha +type +get +set +renamenx +hset +hmget +hdel +exists +del +persist +pexpire +pttl +time +publish +subscribe +psubscribe +unsubscribe +punsubscribe +ping +scan"

var redisKind = kind{
	name:  "redis",
	data:  []string{"appendonlydir", "dump.rdb"},
	ports: 1,
	find:  func() (string, error) { return inPath("redis-server") },
	setup: func(s *Server) error {
		if s.Secret == nil {
			return nil
		}
		return writeRedisUsers(s, s.Secret.Password)
	},
	password: func(_ context.Context, s *Server, password string) error { return writeRedisUsers(s, password) },
	command:  func(s *Server) *exec.Cmd { return redisCommand(s) },
	ready: func(ctx context.Context, s *Server) error {
		answer, err := askRedis(ctx, s, "PING")
		if err == nil && !strings.HasPrefix(answer, "+PONG") {
			err = fmt.Errorf("its answer to PING: %q", answer)
		}
		return err
	},
	secure: true,
}

// writeRedisUsers writes the file of users that the server reads when it starts.
func writeRedisUsers(s *Server, password string) error {
	users := fmt.Sprintf("user default off\nuser %s on >%s %s\n", s.Secret.User, password, RedisRights)
	return os.WriteFile(s.path("users.acl"), []byte(users), 0o600)
}

// redisCommand starts a server that has further settings.
func redisCommand(s *Server, further ...string) *exec.Cmd {
	port := strconv.Itoa(s.ports[0])
	args := []string{
		"--bind", "127.0.0.1", "--dir", s.dir,
		// Every write is on disk before it is acknowledged: what is killed here
		// comes back with all that it had promised.
		"--save", "", "--appendonly", "yes", "--appendfsync", "always",
	}
	if s.Secret == nil {
		args = append(args, "--port", port)
	} else {
		args = append(args, "--port", "0", "--tls-port", port, "--tls-auth-clients", "yes",
			"--tls-ca-cert-file", s.Secret.CA, "--tls-cert-file", s.Secret.Cert, "--tls-key-file", s.Secret.Key,
			"--aclfile", s.path("users.acl"))
	}
	return exec.Command(s.program, append(args, further...)...)
}

// askRedis sends one command and returns the answer. Not QUIT ends the
// conversation, which a Sentinel does not know.
func askRedis(ctx context.Context, s *Server, command string) (string, error) {
	conn, err := dialRedis(ctx, s)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return "", err
		}
	}
	login := ""
	if s.Secret != nil {
		login = fmt.Sprintf("AUTH %s %s\r\n", s.Secret.User, s.Secret.Password)
	}
	if _, err := io.WriteString(conn, login+command+"\r\n"); err != nil {
		return "", err
	}
	if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	if login != "" {
		var known bool
		if answer, known = bytes.CutPrefix(answer, []byte("+OK\r\n")); err == nil && !known {
			err = fmt.Errorf("its answer to AUTH: %q", answer)
		}
	}
	return string(answer), err
}

func dialRedis(ctx context.Context, s *Server) (net.Conn, error) {
	if s.Secret == nil {
		return new(net.Dialer).DialContext(ctx, "tcp", s.hostport(0))
	}
	config, err := s.tlsOfClient()
	if err != nil {
		return nil, err
	}
	return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", s.hostport(0))
}
