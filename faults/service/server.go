package service

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/child"
)

// server is a process of `leadership serve`, which may be started again and again.
type server struct {
	addr   string
	argv   []string
	output string

	process *os.Process // nil: not started, or killed
	wait    func() error
}

func newServer(program, store, output string) (*server, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	addr := l.Addr().String()
	return &server{addr: addr, output: output, argv: []string{program, "serve", "--local", "--listen", addr, "--store", store}}, nil
}

// start starts the process, and returns when it answers.
func (s *server) start(ctx context.Context) error {
	out, err := os.OpenFile(s.output, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.CommandContext(context.Background(), s.argv[0], s.argv[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	if s.wait, err = child.Start(cmd); err != nil {
		return err
	}
	s.process = cmd.Process
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+"/alive", nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(r)
		if err == nil {
			answer.Body.Close()
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("start a server at %s: %w: see %s", s.addr, err, s.output)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// signal sends a signal to the process, if there is one.
func (s *server) signal(sig os.Signal) {
	if s.process != nil {
		_ = s.process.Signal(sig)
	}
}

// end ends the process by a signal, and waits for it.
func (s *server) end(sig os.Signal) {
	if s.process == nil {
		return
	}
	s.signal(sig)
	_ = s.wait() // killed, or by its exit code what it logs
	s.process = nil
}

func (s *server) kill() { s.end(syscall.SIGKILL) }
