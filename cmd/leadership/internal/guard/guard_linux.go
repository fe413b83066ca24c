package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// The guard's ends of the pipes to the supervisor.
const (
	ordersFD  = 3
	reportsFD = 4
)

// Main is the guard. It runs a command, and ends it when the supervisor tells it to,
// when the supervisor is gone, and when the term is over by the last that it was told: for
// the supervisor may be frozen. It blocks until no process of the command is left.
func Main(ctx context.Context, argv []string, grace time.Duration) error {
	// The command dies with the thread that started it. So this thread has to last
	// as long as the process: nothing else runs on it, and it is never left.
	runtime.LockOSThread()
	syscall.CloseOnExec(ordersFD)
	syscall.CloseOnExec(reportsFD)
	in, err := openInbox(ordersFD)
	if err != nil {
		return err
	}
	defer in.close()
	g := &guard{grace: grace, last: never}
	if err := g.run(ctx, argv, in); err != nil {
		return err
	}
	err = json.NewEncoder(os.NewFile(reportsFD, "reports")).Encode(g.report)
	switch {
	case !errors.Is(err, syscall.EPIPE):
		return err
	case g.report.Ended:
		return errors.New("run was killed, so its guard has ended the command")
	default:
		return fmt.Errorf("run was killed; its command has exited with %d", g.report.Code)
	}
}

// guard is what the guard knows of its command.
type guard struct {
	grace  time.Duration
	report Report

	pid    int  // of the command, and the id of its process group
	exited bool // the command has, and was waited for

	over   instant // when the term is over; 0 until it was told
	last   instant // when the command has to be dead
	stop   bool    // it was told to stop
	kill   bool    // at once
	ending bool    // it was sent SIGTERM
	killAt instant // when it is sent SIGKILL, once ending
}

// receive obeys all orders that have come, before anything is done: if the guard was
// frozen, only the last of many deadlines counts.
func (g *guard) receive(in *inbox) {
	orders, open := in.read()
	for _, o := range orders {
		g.obey(o)
	}
	if !open {
		in.C = nil // the supervisor is gone
	}
}

// obey obeys an order.
func (g *guard) obey(o order) {
	if o.Over != 0 {
		g.over = o.Over
	}
	if o.Last != 0 {
		g.last = o.Last
	}
	g.stop, g.kill = g.stop || o.Stop || o.Kill, g.kill || o.Kill
	if g.kill {
		g.last = 0 // whatever comes later
	}
	if o.Signal != 0 && !g.exited && g.pid != 0 {
		_ = syscall.Kill(g.pid, o.Signal) // the id is its own until it was waited for
	}
}

// run starts the command, and ends it in time.
func (g *guard) run(ctx context.Context, argv []string, in *inbox) error {
	if err := adopt(); err != nil {
		return err
	}
	timer, err := newAlarm()
	if err != nil {
		return err
	}
	defer timer.stop()
	died := make(chan os.Signal, 1)
	signal.Notify(died, syscall.SIGCHLD)
	// The guard goes when the command is gone. A channel that nobody reads, and
	// not signal.Ignore, which the command would inherit.
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGPIPE} {
		if !signal.Ignored(sig) { // nohup's command ignores SIGHUP, too
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
	// Nothing is started before the guard was told of a term that is not over: a
	// signal may come first, and on a busy machine the first deadline may come late.
	for g.receive(in); !g.stop && now() >= g.over; g.receive(in) {
		<-in.C
	}
	if g.stop {
		g.report.Ended = true
		return nil
	}
	g.start(ctx, argv)
	for reap(g.waited) {
		g.receive(in)
		next := g.act(now())
		if err := timer.set(next); err != nil {
			// Without a timer nothing is sure.
			g.obey(order{Kill: true})
			g.act(now())
			killFamily(nil)
			return err
		}
		select {
		case <-in.C:
		case <-died:
		case <-timer.C:
		}
	}
	return nil
}

// start starts the command, in a process group of its own.
func (g *guard) start(ctx context.Context, argv []string) {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		g.report.Code, g.report.Failure = StartCode(err), err.Error()
		return
	}
	g.pid, g.report.Started = cmd.Process.Pid, true
	_ = cmd.Process.Release() // it is reaped with its descendants
}

// waited notes that a process has ended.
func (g *guard) waited(pid int, status syscall.WaitStatus) {
	if pid != g.pid || g.exited {
		return
	}
	g.exited = true
	if g.report.Code = status.ExitStatus(); status.Signaled() {
		g.report.Code = CodeSignaled + int(status.Signal())
	}
}

// act does what is due at that instant, and returns when there is more to do.
func (g *guard) act(at instant) instant {
	if !g.ending {
		if !g.stop && !g.exited && at < g.over {
			return g.over
		}
		g.ending, g.report.Ended = true, !g.exited
		// A tenth of the grace is for the kernel to end what is killed.
		g.killAt = min(at.add(g.grace-g.grace/10), g.last.add(-g.grace/10))
		if at < g.killAt {
			signalFamily(g.pid, syscall.SIGTERM)
			signalFamily(g.pid, syscall.SIGCONT) // a stopped process does not see SIGTERM
		}
	}
	if g.killAt = min(g.killAt, g.last); at < g.killAt {
		return g.killAt
	}
	signalFamily(g.pid, syscall.SIGKILL)
	return at.add(killAgain)
}
