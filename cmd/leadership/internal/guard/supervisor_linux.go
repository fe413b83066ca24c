package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Run runs the command until it ends, ctx ends, or the trust does. It blocks until no
// process of it is left. An error means that the guard could not be started, or was
// killed; the command is gone then, too. If the guard was killed, whatever this process
// has started since Run was called is killed with what is left of the command, for the
// two cannot be told apart.
func (c *Command) Run(ctx context.Context) (Report, error) {
	s, err := c.start(ctx)
	if err != nil {
		return Report{}, err
	}
	defer s.orders.Close()
	return s.supervise(ctx)
}

// supervise tells the guard what to do until it reports.
func (s *supervisor) supervise(ctx context.Context) (Report, error) {
	ticker := time.NewTicker(s.Every)
	defer ticker.Stop()
	s.tell(s.deadline())
	done := ctx.Done()
	var end order // how the command is to end; told again and again, for an order may be lost
	for {
		select {
		case r := <-s.reports:
			if !r.ok {
				// What is left of the command has fallen to this process.
				killFamily(s.others)
				if done == nil { // it was to end, anyhow
					return Report{Code: CodeSignaled + int(syscall.SIGKILL), Started: true, Ended: true}, nil
				}
				return Report{}, errGuardGone
			}
			return r.Report, nil
		case <-done:
			done = nil
			end.Stop, end.Kill = true, s.end(ctx) || end.Kill
			s.tell(end)
		case <-ticker.C:
			switch {
			case done != nil:
				s.tell(s.deadline())
			case now() >= s.last.add(s.Every):
				s.kill() // it is frozen
			}
			s.tell(end)
		case sig := <-s.Signals:
			if n, ok := sig.(syscall.Signal); ok {
				s.tell(order{Signal: n})
			}
		case <-s.Hurry:
			end.Kill = true
			s.tell(end)
		}
	}
}

// deadline is until when the command may run. The clock is read before the trust: a
// pause between the two makes the deadline too early, never too late.
func (s *supervisor) deadline() order {
	if s.Trust == nil {
		return order{Over: never}
	}
	at := now()
	trust := s.Trust()
	if trust <= 0 {
		return order{} // the context is about to end
	}
	s.over = at.add(trust)
	s.last = s.over.add(s.Grace)
	return order{Over: s.over, Last: s.last}
}

// patience is how long a guard that has no deadline may take to end the command.
const patience = 5 * time.Second

// end notes that ctx has ended. It reports whether the command is to end at once,
// because another may lead already.
func (s *supervisor) end(ctx context.Context) bool {
	at := now()
	if s.Trust == nil {
		s.last = at.add(s.Grace + patience)
	}
	return errors.Is(context.Cause(ctx), s.Lost) && at < s.over
}

// supervisor is what the supervisor knows of the guard of a command.
type supervisor struct {
	*Command
	cmd     *exec.Cmd
	orders  *os.File
	reports <-chan guardReport
	others  map[string]bool // the children that this process had before, by id and start

	over, last instant // as the guard was told
}

// guardReport is a report; ok is false if the guard has ended without one.
type guardReport struct {
	Report
	ok bool
}

// start starts the guard.
func (c *Command) start(ctx context.Context) (*supervisor, error) {
	if err := adopt(); err != nil {
		return nil, err
	}
	ordersIn, orders, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	defer ordersIn.Close()
	reports, reportsOut, err := os.Pipe()
	if err != nil {
		orders.Close()
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	defer reportsOut.Close()
	// A shell that has started processes, and then becomes this program by exec, leaves them to it.
	others := make(map[string]bool)
	for _, pid := range children() {
		others[identity(pid)] = true
	}
	// Not by its path: there may be another version by now.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), "/proc/self/exe",
		append([]string{Name, "--grace", c.Grace.String(), "--"}, c.Argv...)...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = c.Environ
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.Stdout, c.Stderr
	cmd.WaitDelay = time.Millisecond // its descendants may hold a pipe
	cmd.ExtraFiles = []*os.File{ordersIn, reportsOut}
	// In a session of its own: what stops or kills this process with its group, or
	// its session, as Ctrl-Z and the end of a login do, does not reach the guard.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		orders.Close()
		reports.Close()
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	ended := make(chan guardReport, 1)
	go func() {
		defer reports.Close()
		var r guardReport
		r.ok = json.NewDecoder(reports).Decode(&r.Report) == nil
		_ = cmd.Wait() // the report says all there is to say
		ended <- r
	}()
	return &supervisor{Command: c, cmd: cmd, orders: orders, reports: ended, others: others, over: never, last: never}, nil
}

// tell gives an order, and never waits: a guard that leaves its orders unread until
// the pipe is full is frozen, and is killed for that elsewhere. A deadline of the write
// would not do: it may have passed before anything is written.
func (s *supervisor) tell(o order) {
	if o == (order{}) {
		return
	}
	line, err := json.Marshal(o)
	if err != nil {
		return // there is nothing in it that can fail
	}
	line = append(line, '\n')
	conn, err := s.orders.SyscallConn()
	if err != nil {
		return // closed
	}
	_ = conn.Write(func(fd uintptr) bool {
		_, _ = syscall.Write(int(fd), line) // so short a line is written whole or not at all
		return true
	})
}

// kill kills the guard, and so the command; their descendants fall to this process.
func (s *supervisor) kill() { _ = s.cmd.Process.Kill() }
