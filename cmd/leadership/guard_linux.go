package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// The guard's ends of the pipes to its parent.
const (
	ordersFD  = 3
	reportsFD = 4
)

func (p *program) guardCommand() *cobra.Command {
	var grace time.Duration
	cmd := &cobra.Command{
		Use:    "guard",
		Short:  "Guard a command for leadership run, which starts it",
		Hidden: true,
		Args:   cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withCode(guard(cmd.Context(), args, grace), exitRun)
		},
	}
	cmd.Flags().DurationVar(&grace, "grace", 0, "time from SIGTERM to SIGKILL")
	return cmd
}

// guard runs a command, and ends it when its parent says so, when its parent is
// gone, and, with no word from anybody, when the term is over by the last that
// it was told: for its parent may be frozen, or killed. It returns when no
// process of the command is left.
func guard(ctx context.Context, argv []string, grace time.Duration) error {
	// The command dies with the thread that started it. So this one has to last
	// as long as the process: nothing else runs on it, and it is never left.
	runtime.LockOSThread()
	syscall.CloseOnExec(ordersFD)
	syscall.CloseOnExec(reportsFD)
	in, err := openInbox(ordersFD)
	if err != nil {
		return err
	}
	defer in.close()
	w := &warden{grace: grace, last: never}
	if err := w.run(ctx, argv, in); err != nil {
		return err
	}
	err = json.NewEncoder(os.NewFile(reportsFD, "reports")).Encode(w.report)
	switch {
	case !errors.Is(err, syscall.EPIPE):
		return err
	case w.report.Ended:
		return errors.New("run was killed, so its guard has ended the command")
	default:
		return fmt.Errorf("run was killed; its command has exited with %d", w.report.Code)
	}
}

// warden is what the guard knows of its command.
type warden struct {
	grace  time.Duration
	report report

	pid    int  // of the command, and the id of its process group
	exited bool // the command has, and was waited for

	over   instant // when the term is over: 0 until it was told
	last   instant // when the command has to be dead
	stop   bool    // it was told to stop
	kill   bool    // at once
	ending bool    // it was sent SIGTERM
	killAt instant // when it is sent SIGKILL, once ending
}

// heedAll takes in what it was told meanwhile, before it does anything: where it
// was frozen, only the last of many deadlines counts.
func (w *warden) heedAll(in *inbox) {
	orders, open := in.read()
	for _, o := range orders {
		w.heed(o)
	}
	if !open {
		in.C = nil // the parent is gone
	}
}

// heed takes in an order.
func (w *warden) heed(o order) {
	if o.Over != 0 {
		w.over = o.Over
	}
	if o.Last != 0 {
		w.last = o.Last
	}
	w.stop, w.kill = w.stop || o.Stop || o.Kill, w.kill || o.Kill
	if w.kill {
		w.last = 0 // whatever is said later
	}
	if o.Signal != 0 && !w.exited && w.pid != 0 {
		_ = syscall.Kill(w.pid, o.Signal) // it is ours until it was waited for
	}
}

// run starts the command and sees to its end.
func (w *warden) run(ctx context.Context, argv []string, in *inbox) error {
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
	// Nothing is started before there is word of a term that is not over: a
	// signal may come first, and on a busy machine the first deadline late.
	for w.heedAll(in); !w.stop && now() >= w.over; w.heedAll(in) {
		<-in.C
	}
	if w.stop {
		w.report.Ended = true
		return nil
	}
	w.start(ctx, argv)
	for reap(w.waited) {
		w.heedAll(in)
		next := w.act(now())
		if err := timer.set(next); err != nil {
			// Without a timer nothing is sure.
			w.heed(order{Kill: true})
			w.act(now())
			killFamily()
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
func (w *warden) start(ctx context.Context, argv []string) {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		w.report.Code, w.report.Failure = startCode(err), err.Error()
		return
	}
	w.pid = cmd.Process.Pid
	_ = cmd.Process.Release() // it is reaped with its descendants
}

// startCode is the exit code for a command that could not be started.
func startCode(err error) int {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return exitNotFound
	}
	return exitNoExec
}

// waited takes note of a process that has ended.
func (w *warden) waited(pid int, status syscall.WaitStatus) {
	if pid != w.pid || w.exited {
		return
	}
	w.exited = true
	if w.report.Code = status.ExitStatus(); status.Signaled() {
		w.report.Code = exitSignalBase + int(status.Signal())
	}
}

// act does what is due at that instant, and returns when there is more to do.
func (w *warden) act(at instant) instant {
	if !w.ending {
		if !w.stop && !w.exited && at < w.over {
			return w.over
		}
		w.ending, w.report.Ended = true, !w.exited
		// A tenth of the grace is for the kernel to end what is killed.
		w.killAt = min(at.add(w.grace-w.grace/10), w.last.add(-w.grace/10))
		if at < w.killAt {
			signalFamily(w.pid, syscall.SIGTERM)
			signalFamily(w.pid, syscall.SIGCONT) // the stopped do not hear it
		}
	}
	if w.killAt = min(w.killAt, w.last); at < w.killAt {
		return w.killAt
	}
	signalFamily(w.pid, syscall.SIGKILL)
	return at.add(killAgain)
}
