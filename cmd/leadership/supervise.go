package main

import (
	"errors"
	"io"
	"os"
	"time"
)

// errGuardGone says that the guard has ended before its command: it was killed.
var errGuardGone = errors.New("the guard of the command was killed, and the command with it")

// supervised is a command that runs under a guard.
type supervised struct {
	argv           []string
	environ        []string
	stdin          io.Reader
	stdout, stderr io.Writer
	grace          time.Duration

	// trust is how long from now the command may go on; nil for ever.
	trust func() time.Duration
	every time.Duration // how often the guard is told

	// signals are for the command; a value from hurry kills it.
	signals <-chan os.Signal
	hurry   <-chan os.Signal
}
