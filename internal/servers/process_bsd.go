//go:build unix && !linux

package servers

import "syscall"

// attributes has a process lead a group of its own, so that it can be
// signalled as a whole.
func attributes(a *syscall.SysProcAttr) *syscall.SysProcAttr {
	if a == nil {
		a = &syscall.SysProcAttr{}
	}
	a.Setpgid = true
	return a
}

// descendants finds none outside Linux: freezing PostgreSQL halts only its
// first process there.
func descendants(int) []int { return nil }

func running(pid int) bool { return syscall.Kill(pid, 0) == nil }

func halted(int) bool { return true }
