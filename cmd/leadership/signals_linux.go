package main

import (
	"os"
	"syscall"
)

// passedOn are the signals that run passes on to its command.
var passedOn = []os.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH}
