//go:build unix

package servers

import (
	"syscall"
	"time"
)

const supported = true

// kill ends the process and its descendants and waits until they are gone.
func (p *process) kill() {
	all := p.freeze()
	for _, pid := range all {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	<-p.done
	// Descendants are not ours to wait for. PostgreSQL does not start again
	// while one of them is alive.
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		alive := false
		for _, pid := range all {
			alive = alive || running(pid)
		}
		if !alive {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// quit asks the process to end at once but in order, and gives it a moment.
func (p *process) quit() {
	p.thaw()
	select {
	case <-p.done:
		return
	default:
	}
	_ = syscall.Kill(p.pid, syscall.SIGQUIT)
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
	}
}

// freeze halts the process and its descendants, and returns their ids. The
// process group is not enough: every backend of PostgreSQL has one of its own.
func (p *process) freeze() []int {
	select {
	case <-p.done: // the id may be somebody else's by now
		return nil
	default:
	}
	// The parent first: it starts no more children then.
	_ = syscall.Kill(-p.pid, syscall.SIGSTOP)
	all := descendants(p.pid)
	for _, pid := range all {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
	// A signal takes a moment to reach every thread.
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
		still := halted(p.pid)
		for _, pid := range all {
			still = still && halted(pid)
		}
		if still {
			break
		}
		time.Sleep(100 * time.Microsecond)
	}
	return all
}

// thaw lets a frozen process and its descendants go on.
func (p *process) thaw() {
	select {
	case <-p.done:
		return
	default:
	}
	for _, pid := range descendants(p.pid) {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	_ = syscall.Kill(-p.pid, syscall.SIGCONT)
}
