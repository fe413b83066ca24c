//go:build !linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"
)

var passedOn = []os.Signal{syscall.SIGHUP}

// canSupervise says that nothing here can be sure that no process of a command
// outlives its term: that takes a parent that descendants fall to, and a clock
// that counts sleep, which only Linux has.
func canSupervise() error {
	return fmt.Errorf("commands are run on Linux only: on %s it cannot be promised that all that a command has started is gone before another may lead; follow, serve and the other commands work here", runtime.GOOS)
}

func (s *supervised) run(context.Context) (report, error) { return report{}, canSupervise() }

func startCode(err error) int {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return exitNotFound
	}
	return exitNoExec
}

func (p *program) guardCommand() *cobra.Command {
	return &cobra.Command{Use: "guard", Hidden: true, Args: cobra.NoArgs}
}
