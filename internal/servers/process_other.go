//go:build !unix

package servers

import "syscall"

// supported is false where there are no process groups to signal: tests that
// need a server are skipped.
const supported = false

func attributes(a *syscall.SysProcAttr) *syscall.SysProcAttr { return a }

func (p *process) kill()         {}
func (p *process) quit()         {}
func (p *process) freeze() []int { return nil }
func (p *process) thaw()         {}
