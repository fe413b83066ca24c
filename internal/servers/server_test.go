//go:build unix

package servers

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if os.Getenv("LEADERSHIP_SERVERS_CHILD") == "1" {
		child()
	}
	os.Exit(Main(m))
}

// clients writes and reads one value in servers of each kind.
var clients = map[string]struct {
	put func(ctx context.Context, s *Server, value string) error
	get func(ctx context.Context, s *Server) (string, error)
}{
	"etcd": {
		put: func(ctx context.Context, s *Server, value string) error {
			_, err := request(ctx, "POST", "http://"+s.Addr+"/v3/kv/put", `{"key":"a2V5","value":"`+base64.StdEncoding.EncodeToString([]byte(value))+`"}`)
			return err
		},
		get: func(ctx context.Context, s *Server) (string, error) {
			answer, err := request(ctx, "POST", "http://"+s.Addr+"/v3/kv/range", `{"key":"a2V5"}`)
			if err != nil {
				return "", err
			}
			_, value, _ := strings.Cut(answer, `"value":"`)
			value, _, _ = strings.Cut(value, `"`)
			decoded, err := base64.StdEncoding.DecodeString(value)
			return string(decoded), err
		},
	},
	"consul": {
		put: func(ctx context.Context, s *Server, value string) error {
			_, err := request(ctx, "PUT", "http://"+s.Addr+"/v1/kv/key", value)
			return err
		},
		get: func(ctx context.Context, s *Server) (string, error) {
			return request(ctx, "GET", "http://"+s.Addr+"/v1/kv/key?raw&consistent", "")
		},
	},
	"zookeeper": {
		put: func(ctx context.Context, s *Server, value string) error {
			_, err := askZooKeeper(ctx, s, 1, nil, "/key", value, int32(1), int32(31), "world", "anyone", int32(0))
			return err
		},
		get: func(ctx context.Context, s *Server) (string, error) {
			answer, err := askZooKeeper(ctx, s, 4, nil, "/key", false)
			if err != nil {
				return "", err
			}
			value, _, err := cutString(answer)
			return value, err
		},
	},
	"redis": {
		put: func(ctx context.Context, s *Server, value string) error {
			answer, err := ask(ctx, s.Addr, "SET key "+value+"\r\nQUIT\r\n")
			if err == nil && !strings.HasPrefix(answer, "+OK") {
				err = errors.New(answer)
			}
			return err
		},
		get: func(ctx context.Context, s *Server) (string, error) {
			answer, err := ask(ctx, s.Addr, "GET key\r\nQUIT\r\n")
			lines := strings.Split(answer, "\r\n")
			if err != nil || len(lines) < 2 {
				return "", errors.Join(err, errors.New(answer))
			}
			return lines[1], nil
		},
	},
	"postgres": {
		put: func(ctx context.Context, s *Server, value string) error {
			_, err := psql(ctx, s, "CREATE TABLE kept AS SELECT '"+value+"' AS value")
			return err
		},
		get: func(ctx context.Context, s *Server) (string, error) {
			return psql(ctx, s, "SELECT value FROM kept")
		},
	},
	"mariadb": {
		put: func(ctx context.Context, s *Server, value string) error {
			_, err := queryMariaDB(ctx, s.hostport(0), "CREATE TABLE kept AS SELECT '"+value+"' AS value")
			return err
		},
		get: func(ctx context.Context, s *Server) (string, error) {
			answer, err := queryMariaDB(ctx, s.hostport(0), "SELECT CONCAT('it was <', value, '>') AS kept FROM kept")
			_, value, _ := strings.Cut(answer, "it was <")
			value, _, _ = strings.Cut(value, ">")
			return value, err
		},
	},
}

func psql(ctx context.Context, s *Server, statement string) (string, error) {
	program := filepath.Join(filepath.Dir(s.program), "psql")
	out, err := exec.CommandContext(ctx, program, "-X", "-At", "-c", statement, s.Addr).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return strings.TrimSpace(string(out)), err
}

func TestServer(t *testing.T) {
	for name, c := range clients {
		t.Run(name, func(t *testing.T) {
			var s *Server
			var pids []int
			t.Run("life", func(t *testing.T) {
				began := time.Now()
				s = New(t, name)
				t.Logf("first start: %v", time.Since(began).Round(time.Millisecond))
				addr := s.Addr

				if err := c.put(t.Context(), s, "value"); err != nil {
					t.Fatal("put:", err)
				}
				checkGet(t, s)

				began = time.Now()
				s.Restart()
				t.Logf("restart: %v", time.Since(began).Round(time.Millisecond))
				if s.Addr != addr {
					t.Errorf("restart moved it from %s to %s", addr, s.Addr)
				}
				checkGet(t, s)

				s.Freeze()
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				if value, err := c.get(ctx, s); err == nil {
					t.Errorf("get %q while it was frozen", value)
				}
				s.Thaw()
				checkGet(t, s)

				s.Stop()
				ctx, cancel = context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				if value, err := c.get(ctx, s); err == nil {
					t.Errorf("get %q while it was stopped", value)
				}
				s.Start()
				checkGet(t, s)
				pids = append(descendants(s.process.pid), s.process.pid)
			})
			for _, pid := range pids {
				if running(pid) {
					t.Errorf("process %d of %v outlives its test", pid, pids)
				}
			}
			if s != nil && s.dir != "" {
				if _, err := os.Stat(s.dir); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("its folder outlives its test: %v", err)
				}
			}
		})
	}
}

// checkGet wants the value that was put to be there.
func checkGet(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	value, err := clients[s.kind.name].get(ctx, s)
	if value != "value" || err != nil {
		t.Fatalf("get: %q, %v", value, err)
	}
}

func TestFrozenServerIsStopped(t *testing.T) {
	s := Redis(t)
	s.Freeze()
	s.Restart()
	if err := redisKind.ready(t.Context(), s); err != nil {
		t.Error(err)
	}
}

func TestServerThatEndsIsReportedWithItsLog(t *testing.T) {
	k := redisKind
	k.command = func(s *Server) *exec.Cmd { return exec.Command(s.program, "--no-such-option", "yes") }
	s := &Server{t: t, kind: k, program: program(t, k)}
	defer s.remove()
	err := s.create()
	if err == nil || !strings.Contains(err.Error(), "no-such-option") {
		t.Errorf("create: %v; want what redis said", err)
	}
}

func TestTakenPortIsTold(t *testing.T) {
	first := Redis(t)
	s := &Server{t: t, kind: redisKind, program: first.program, dir: t.TempDir(), ports: first.ports}
	if err := s.launch(); !errors.Is(err, errPortTaken) {
		t.Errorf("launch on a port in use: %v; want errPortTaken", err)
	}
}

func TestSharedServerIsOne(t *testing.T) {
	if a, b := Shared(t, "redis"), Shared(t, "redis"); a != b {
		t.Errorf("two servers: %s and %s", a.Addr, b.Addr)
	}
}

// TestNoServerOutlivesAKilledTestBinary kills -9 a child that has started a
// server.
func TestNoServerOutlivesAKilledTestBinary(t *testing.T) {
	program(t, redisKind)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LEADERSHIP_SERVERS_CHILD=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	scanner := bufio.NewScanner(out)
	scanner.Scan()
	pid, err := strconv.Atoi(scanner.Text())
	scanner.Scan()
	folder := scanner.Text()
	defer os.RemoveAll(folder)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); running(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("server %d lives on", pid)
		}
	}

	// Its folder cannot be helped; the next to start a server removes it.
	sweep()
	if _, err := os.Stat(folder); err != nil {
		t.Errorf("the folder of a server that may be starting was removed: %v", err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(folder, old, old); err != nil {
		t.Fatal(err)
	}
	other := Redis(t)
	if err := os.Chtimes(other.dir, old, old); err != nil {
		t.Fatal(err)
	}
	sweep()
	if _, err := os.Stat(folder); runtime.GOOS == "linux" && !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder of a dead test is still there: %v", err)
	}
	if _, err := os.Stat(other.dir); err != nil {
		t.Errorf("the folder of a living test was removed: %v", err)
	}
}

// child starts a server, prints its id and folder, and waits to be killed. What
// it starts it from is a goroutine that ends, as a test's does.
func child() {
	s := &Server{kind: redisKind}
	done := make(chan error)
	go func() {
		var err error
		if s.program, err = redisKind.find(); err == nil {
			err = s.create()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(s.process.pid)
	fmt.Println(s.dir)
	select {}
}
