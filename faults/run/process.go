package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// endLimit is how long a process may take to end in order.
const endLimit = 40 * time.Second

// process is a child of this one. Where the kernel can, it kills it when this one ends.
type process struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	done chan struct{} // closed when it has ended
	err  error         // how it ended; to be read after done
}

// start starts a process in a group of its own, which writes what it prints to a file.
func start(argv []string, environ []string, output string) (*process, error) {
	out, err := os.OpenFile(output, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &process{cmd: exec.CommandContext(context.Background(), argv[0], argv[1:]...), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), environ...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = attributes()
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the kernel takes the thread for the parent
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(argv[0]), err)
	}
	return p, nil
}

// signal sends a signal to the process, or to its group, unless it has ended.
func (p *process) signal(s syscall.Signal, group bool) {
	select {
	case <-p.done: // the id may be somebody else's by now
		return
	default:
	}
	pid := p.cmd.Process.Pid
	if group {
		pid = -pid
	}
	_ = syscall.Kill(pid, s)
}

// kill ends the process or its group, halted or not, and waits for the process.
func (p *process) kill(group bool) {
	p.signal(syscall.SIGKILL, group)
	<-p.done
	p.in.Close()
}

// end makes the process end in order, by the end of its input and, if it is told so, by
// SIGTERM.
func (p *process) end(term bool) error {
	p.signal(syscall.SIGCONT, true)
	p.in.Close()
	if term {
		p.signal(syscall.SIGTERM, false)
	}
	timer := time.NewTimer(endLimit)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.err
	case <-timer.C:
		p.kill(false)
		return errStuck
	}
}

var errStuck = errors.New("it had to be killed: it did not end within " + endLimit.String())
