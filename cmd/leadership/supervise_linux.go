package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/seed-a1d591d3/leadership"
)

// run runs the command until it ends or ctx does, or the trust. It returns when
// no process of it is left. Nothing else in this process may wait for children
// meanwhile.
func (s *supervised) run(ctx context.Context) (report, error) {
	g, err := s.start(ctx)
	if err != nil {
		return report{}, err
	}
	defer g.orders.Close()
	return s.attend(ctx, g)
}

// attend tells the guard what to do until it reports.
func (s *supervised) attend(ctx context.Context, g *guardian) (report, error) {
	ticker := time.NewTicker(s.every)
	defer ticker.Stop()
	g.tell(s.deadline(g))
	done := ctx.Done()
	var end order // how the command is to end; again and again, for one may be lost
	for {
		select {
		case r := <-g.reports:
			if !r.ok {
				// What is left of the command has fallen to this process.
				killFamily()
				if done == nil { // it was to end, anyhow
					return report{Code: exitSignalBase + int(syscall.SIGKILL), Ended: true}, nil
				}
				return report{}, errGuardGone
			}
			return r.report, nil
		case <-done:
			done = nil
			end.Stop, end.Kill = true, s.end(ctx, g) || end.Kill
			g.tell(end)
		case <-ticker.C:
			switch {
			case done != nil:
				g.tell(s.deadline(g))
			case now() >= g.last.add(s.every):
				g.kill() // it is frozen
			}
			g.tell(end)
		case sig := <-s.signals:
			if n, ok := sig.(syscall.Signal); ok {
				g.tell(order{Signal: n})
			}
		case <-s.hurry:
			end.Kill = true
			g.tell(end)
		}
	}
}

// deadline is until when the command may go on. The clock is read before the
// trust: whoever is paused in between promises too little, never too much.
func (s *supervised) deadline(g *guardian) order {
	if s.trust == nil {
		return order{Over: never}
	}
	at := now()
	trust := s.trust()
	if trust <= 0 {
		return order{} // the context is about to end
	}
	g.over = at.add(trust)
	g.last = g.over.add(s.grace)
	return order{Over: g.over, Last: g.last}
}

// patience is how long a guard that has no deadline is waited for.
const patience = 5 * time.Second

// end is for when ctx has ended. It says whether the command is to end at once:
// where somebody else may lead already.
func (s *supervised) end(ctx context.Context, g *guardian) bool {
	at := now()
	if s.trust == nil {
		g.last = at.add(s.grace + patience)
	}
	return errors.Is(context.Cause(ctx), leadership.ErrLost) && at < g.over
}

// guardian is a guard, as its parent sees it.
type guardian struct {
	cmd     *exec.Cmd
	orders  *os.File
	reports <-chan guardReport

	over, last instant // as it was told
}

// guardReport is a report, or, where that is not ok, the end of the guard
// without one.
type guardReport struct {
	report
	ok bool
}

// start starts the guard.
func (s *supervised) start(ctx context.Context) (*guardian, error) {
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
	// Not by its path: there may be another version by now.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), "/proc/self/exe",
		append([]string{"guard", "--grace", s.grace.String(), "--"}, s.argv...)...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = s.environ
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.stdin, s.stdout, s.stderr
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
		r.ok = json.NewDecoder(reports).Decode(&r.report) == nil
		_ = cmd.Wait() // the report says all there is to say
		ended <- r
	}()
	return &guardian{cmd: cmd, orders: orders, reports: ended, over: never, last: never}, nil
}

// tell gives an order, and never waits: a guard that leaves its orders unread
// until the pipe is full is frozen, which shows elsewhere. Not by a deadline, which
// may have passed before anything is written.
func (g *guardian) tell(o order) {
	if o == (order{}) {
		return
	}
	line, err := json.Marshal(o)
	if err != nil {
		return // there is nothing in it that can fail
	}
	line = append(line, '\n')
	conn, err := g.orders.SyscallConn()
	if err != nil {
		return // closed
	}
	_ = conn.Write(func(fd uintptr) bool {
		_, _ = syscall.Write(int(fd), line) // so short a line is written whole or not at all
		return true
	})
}

// kill kills the guard, and so the command; its descendants fall to this
// process.
func (g *guardian) kill() { _ = g.cmd.Process.Kill() }
