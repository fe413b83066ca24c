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
	ticker := time.NewTicker(s.every)
	defer ticker.Stop()
	g.tell(s.deadline(g))
	done := ctx.Done()
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
			g.tell(s.end(ctx, g))
		case <-ticker.C:
			switch {
			case done != nil:
				g.tell(s.deadline(g))
			case now() >= g.last.add(s.every):
				g.kill() // it is frozen
			}
		case sig := <-s.signals:
			if n, ok := sig.(syscall.Signal); ok {
				g.tell(order{Signal: n})
			}
		case <-s.hurry:
			g.tell(order{Kill: true})
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

// end is how the command is to end after ctx has: at once, where somebody else
// may lead already.
func (s *supervised) end(ctx context.Context, g *guardian) order {
	at := now()
	if s.trust == nil {
		g.last = at.add(s.grace + patience)
	}
	if errors.Is(context.Cause(ctx), leadership.ErrLost) && at < g.over {
		return order{Kill: true}
	}
	return order{Stop: true}
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
	// Signals of the terminal, Ctrl-Z for one, are for this process alone.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
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

// tell gives an order. A guard that does not take it is frozen or gone, which
// shows elsewhere.
func (g *guardian) tell(o order) {
	if o == (order{}) {
		return
	}
	_ = g.orders.SetWriteDeadline(time.Now().Add(time.Millisecond))
	_ = json.NewEncoder(g.orders).Encode(o)
}

// kill kills the guard, and so the command; its descendants fall to this
// process.
func (g *guardian) kill() { _ = g.cmd.Process.Kill() }
