package servers

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/certs"
)

// startTimeout bounds the time from a server's start to its first answer.
const startTimeout = 30 * time.Second

// kind says how servers of one kind are found, started, and asked whether
// they are up.
type kind struct {
	name string

	// ports is how many ports it needs. The first is the one clients use.
	ports int

	// find returns the program, or an error that says what is missing.
	find func() (string, error)

	// setup, where there is one, lays out the folder before the first start.
	setup func(s *Server) error

	// command is what starts it. It is made afresh for each start.
	command func(s *Server) *exec.Cmd

	// ready makes a real request and returns nil if the server served it.
	ready func(ctx context.Context, s *Server) error

	// fixed are the ports, where others have to know them before.
	fixed []int

	// base is the folder in which it has its own; empty for the usual one.
	base string

	// plain says that it has the limits that its kind has by default.
	plain bool

	// tidy says that one that is killed leaves more behind than its folder.
	tidy bool

	// addr makes a Server's Addr of host:port; nil leaves that as it is.
	addr func(hostport string) string

	// revived says that one that ends by itself is started again, as a service
	// manager does.
	revived bool

	// data are the names, in the server's folder, of what it keeps its data in.
	data []string

	// secrets, where there is one, lays out what the server needs of its Secret, for
	// those that do not read the Secret's own files.
	secrets func(s *Server) error

	// password, where there is one, makes the server take another password of the
	// Secret's user, and refuse the present one.
	password func(ctx context.Context, s *Server, password string) error

	// secure says that the kind uses Server.Secret. Where there is one,
	// enforce, if not nil, is called once the server has answered for the first
	// time, for what can be set up only then.
	secure  bool
	enforce func(ctx context.Context, s *Server) error
}

// Secret is what a server that Secure has started asks of its clients.
type Secret struct {
	certs.Authority

	User, Password string
}

// Server is one real server. Its methods may be called one after another from
// any goroutine; those that fail end the test that started it.
type Server struct {
	// Addr is where clients reach it: host:port, for PostgreSQL without a
	// Secret a URL, and for MariaDB a data source name of
	// github.com/go-sql-driver/mysql. It stays the same through Stop and Start.
	Addr string

	// Secret is what it asks of its clients; nil for one that New has started.
	Secret *Secret

	t       testing.TB
	kind    kind
	program string
	dir     string
	claim   *os.File // on dir
	ports   []int

	mu      sync.Mutex
	process *process // nil while stopped
}

// start brings up a new server of kind k, or skips or fails t. secret may be nil.
func start(t testing.TB, k kind, secret *Secret) *Server {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a server")
	}
	program := program(t, k)
	for attempt := 1; ; attempt++ {
		s := &Server{t: t, kind: k, program: program, Secret: secret}
		err := s.create()
		if err == nil {
			return s
		}
		s.remove()
		if !errors.Is(err, errPortTaken) || attempt == 5 {
			t.Fatalf("start %s: %v", k.name, err)
		}
	}
}

// program finds what runs a server of kind k, or skips or fails t.
func program(t testing.TB, k kind) string {
	t.Helper()
	program, err := k.find()
	if err == nil && !supported {
		err = errors.New("servers are started on Unix only")
	}
	if err != nil {
		if os.Getenv("LEADERSHIP_REQUIRE_SERVERS") == "1" {
			t.Fatalf("%s: %v; `make servers` installs it", k.name, err)
		}
		t.Skipf("%s: %v; `make servers` installs it", k.name, err)
	}
	return program
}

// create gives s a folder and ports, and starts it for the first time.
func (s *Server) create() error {
	sweep()
	var err error
	// Not t.TempDir: only its owner may enter that, and PostgreSQL runs as
	// somebody else; and a shared server outlives the test that asked first.
	base := s.kind.base
	if base == "" {
		base = baseFolder()
	}
	if s.dir, err = os.MkdirTemp(base, "leadership-"+s.kind.name+"-"); err != nil {
		return err
	}
	if s.claim, err = claim(s.dir); err != nil {
		return err
	}
	if err := os.Chmod(s.dir, 0o711); err != nil {
		return err
	}
	if s.ports = s.kind.fixed; s.ports == nil {
		if s.ports, err = freePorts(s.kind.ports); err != nil {
			return err
		}
	}
	s.Addr = s.hostport(0)
	if s.kind.addr != nil && s.Secret == nil {
		s.Addr = s.kind.addr(s.Addr)
	}
	if s.kind.setup != nil {
		if err := s.kind.setup(s); err != nil {
			return err
		}
	}
	if err := s.launch(); err != nil || s.Secret == nil || s.kind.enforce == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	return s.kind.enforce(ctx, s)
}

// launch starts the process and waits until the server answers.
func (s *Server) launch() error {
	// Else it might be somebody else's answer that is taken for this server's.
	if err := checkFree(s.ports); err != nil {
		return err
	}
	log, err := os.OpenFile(s.path("log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	before, err := log.Stat()
	if err != nil {
		return err
	}
	cmd := s.kind.command(s)
	cmd.Stdout, cmd.Stderr = log, log
	p, err := launch(cmd)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	err = s.await(ctx, p)
	if err != nil {
		p.kill()
		tail := s.logAfter(before.Size())
		if bytes.Contains(tail, []byte("ddress already in use")) {
			err = fmt.Errorf("%w: %w", errPortTaken, err)
		}
		return fmt.Errorf("%w; the end of its log:\n%s", err, tail)
	}
	s.process = p
	if s.kind.revived {
		go s.revive(p)
	}
	return nil
}

// revive starts the server again when its process p has ended by itself.
func (s *Server) revive(p *process) {
	<-p.done
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != p {
		return // it was stopped
	}
	s.t.Logf("%s has ended by itself (%v) and is started again; the end of its log:\n%s", s.kind.name, p.err, s.logAfter(0))
	if err := s.launch(); err != nil {
		s.t.Errorf("start %s again: %v", s.kind.name, err)
	}
}

// await returns nil once the server has answered, and an error when its
// process has ended or ctx has.
func (s *Server) await(ctx context.Context, p *process) error {
	for {
		// A request to a server that is coming up may be stuck for good.
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := s.kind.ready(attempt, s)
		cancel()
		select {
		case <-p.done:
			return fmt.Errorf("it ended at once: %w", p.err)
		default:
		}
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("no answer within %v: %w", startTimeout, err)
		}
	}
}

// Stop kills the server, as kill -9 does, and waits until it is gone. The data
// stays. A stopped server is left alone.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		s.process.kill()
		s.process = nil
	}
}

// Start starts a stopped server again, on the same ports and with the data it
// had, and returns when it answers.
func (s *Server) Start() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		return
	}
	for attempt := 1; ; attempt++ {
		err := s.launch()
		if err == nil {
			return
		}
		// The port is freed again where a client's own connection had it.
		if !errors.Is(err, errPortTaken) || attempt == 10 {
			s.t.Fatalf("start %s again: %v", s.kind.name, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// Restart is Stop and Start.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	s.Start()
}

// Freeze halts the server, as SIGSTOP does: connections stand and can be made,
// and nothing is answered.
func (s *Server) Freeze() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		s.t.Fatalf("freeze %s: it is stopped", s.kind.name)
	}
	s.process.freeze()
}

// Thaw lets a frozen server go on. One that is not frozen is left alone.
func (s *Server) Thaw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		s.process.thaw()
	}
}

// remove ends the server for good. One that has ended by itself fails the test.
func (s *Server) remove() {
	s.mu.Lock()
	if s.process != nil && !s.kind.revived {
		select {
		case <-s.process.done:
			s.t.Errorf("%s has ended by itself: %v; the end of its log:\n%s", s.kind.name, s.process.err, s.logAfter(0))
		default:
		}
	}
	if s.process != nil && s.kind.tidy {
		s.process.quit()
	}
	s.mu.Unlock()
	s.Stop()
	if s.dir != "" {
		if err := os.RemoveAll(s.dir); err != nil {
			s.t.Errorf("remove %s: %v", s.kind.name, err)
		}
	}
	if s.claim != nil {
		s.claim.Close()
	}
}

// path returns a path in the server's folder.
func (s *Server) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

// HostPort returns where it listens, host:port, of whatever kind its Addr is.
func (s *Server) HostPort() string { return s.hostport(0) }

// hostport returns the address of its i-th port.
func (s *Server) hostport(i int) string {
	return fmt.Sprintf("127.0.0.1:%d", s.ports[i])
}

// tlsOfClient returns what a client of a server with a Secret needs.
func (s *Server) tlsOfClient() (*tls.Config, error) {
	ca, err := os.ReadFile(s.Secret.CA)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	config.RootCAs.AppendCertsFromPEM(ca)
	cert, err := tls.LoadX509KeyPair(s.Secret.ClientCert, s.Secret.ClientKey)
	config.Certificates = []tls.Certificate{cert}
	return config, err
}

// logAfter returns the end of what the server has logged after offset.
func (s *Server) logAfter(offset int64) []byte {
	const most = 4 << 10
	log, err := os.ReadFile(s.path("log"))
	if err != nil {
		return []byte(err.Error())
	}
	log = log[min(int(offset), len(log)):]
	return log[max(0, len(log)-most):]
}

// Stopped reports whether Stop has stopped the server.
func (s *Server) Stopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process == nil
}
