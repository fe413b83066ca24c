package servers

import (
	"os/exec"
	"runtime"
)

// process is one run of a server.
type process struct {
	pid  int
	done chan struct{} // closed when it has ended
	err  error         // how it ended; to be read after done
}

// launch starts cmd. The goroutine that waits for its end is also the one that
// started it, on a thread of its own: on Linux the process is to be killed when
// its parent dies (see attributes), and the parent, to the kernel, is the thread.
func launch(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = attributes(cmd.SysProcAttr)
	p := &process{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with this goroutine
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}
