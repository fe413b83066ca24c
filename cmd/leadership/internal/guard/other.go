//go:build !linux

package guard

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// Supported returns why commands cannot be run here: only Linux has a parent that
// descendants fall to, and a clock that counts sleep, by which no process of a command
// outlives its term.
func Supported() error {
	return fmt.Errorf("commands are run on Linux only: on %s it cannot be promised that all that a command has started is gone before another may lead; follow, serve and the other commands work here", runtime.GOOS)
}

// Run returns the error of Supported.
func (c *Command) Run(context.Context) (Report, error) { return Report{}, Supported() }

// Main returns ErrNoSupervisor.
func Main(context.Context, []string, time.Duration) error { return ErrNoSupervisor }

// Started returns an empty string: it is not known when a process was started.
func Started(int) string { return "" }
