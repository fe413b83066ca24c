// Package child starts processes that do not outlive this one.
package child

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Start starts a command in a process group of its own. Where the kernel can, it kills the
// process when this one ends. wait, which must be called once, is that of cmd.
func Start(cmd *exec.Cmd) (wait func() error, err error) {
	cmd.SysProcAttr = attributes()
	started, asked, ended := make(chan error), make(chan struct{}), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the kernel takes the thread for the parent
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		<-asked
		ended <- cmd.Wait()
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(cmd.Path), err)
	}
	return func() error {
		close(asked)
		return <-ended
	}, nil
}
