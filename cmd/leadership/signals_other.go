//go:build !linux

package main

import (
	"os"
	"syscall"
)

// passedOn are the signals that run passes on to its command.
var passedOn = []os.Signal{syscall.SIGHUP}
