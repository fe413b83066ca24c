package main

import (
	"os/exec"
	"syscall"
)

// contain puts a command into a process group of its own, which is killed when its context
// ends, or the thread that has started it.
func contain(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
}
