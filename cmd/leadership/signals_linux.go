package main

import (
	"os"
	"syscall"
)

// passedOn are the signals that a command is sent when leadership run is.
var passedOn = []os.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH}
