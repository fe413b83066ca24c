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

// run needs what only Linux has to be sure that nothing of a command outlives
// its term: a parent that descendants fall to, and a clock that counts sleep.
func (s *supervised) run(context.Context) (report, error) {
	return report{}, fmt.Errorf("commands are run on Linux only, not on %s", runtime.GOOS)
}

func startCode(err error) int {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return exitNotFound
	}
	return exitNoExec
}

func (p *program) guardCommand() *cobra.Command {
	return &cobra.Command{Use: "guard", Hidden: true, Args: cobra.NoArgs}
}
