package main

import (
	"errors"
	"fmt"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/cmd/leadership/internal/guard"
	"github.com/seed-a1d591d3/leadership/internal/clock"
)

// The exit codes, besides those of the commands of run and round run.
const (
	exitNo         = 1   // lost, no leader, not completed
	exitUsage      = 2   // an invalid argument or flag
	exitFailure    = 3   // another error, such as a store that cannot be reached
	exitTaken      = 4   // run --try: not elected
	exitRun        = 125 // run and round run: the same
	exitNoExec     = guard.CodeNotRunnable
	exitNotFound   = guard.CodeNotFound
	exitSignalBase = guard.CodeSignaled // and the number of the signal
)

// exitError is an error with an exit code. err may be nil: nothing is printed.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// exit ends the program with a code, and prints nothing.
func exit(code int) error {
	if code == 0 {
		return nil
	}
	return &exitError{code: code}
}

// usage returns an error about a flag or argument.
func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, clock.Texts(args...)...)}
}

// withCode gives an error without an exit code that code, or the one for wrong usage.
func withCode(err error, code int) error {
	switch {
	case err == nil || errors.As(err, new(*exitError)):
		return err
	case errors.Is(err, leadership.ErrInvalidArgument):
		code = exitUsage
	}
	return &exitError{code, err}
}
