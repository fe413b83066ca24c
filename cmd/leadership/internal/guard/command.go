// Package guard runs a command under a deadline that is extended again and again, so
// that no process of it outlives the deadline, even if the process that runs it is
// killed or frozen.
//
// Two processes see to that. The supervisor, in the process that calls Command.Run,
// starts the guard, in a session of its own, and tells it the deadline. The guard starts
// the command, and ends it when it is told to, when the supervisor is gone, or when the
// deadline is over, by a clock that counts the time that the machine is suspended.
package guard

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"time"
)

// Name is the first argument by which this program is run again as the guard:
// Name --grace DURATION -- COMMAND [ARGUMENT...]. The program then calls Main.
const Name = "guard"

// The exit codes for a command that was not started, and what is added to the number of
// the signal that ended one.
const (
	CodeNotRunnable = 126
	CodeNotFound    = 127
	CodeSignaled    = 128
)

// ErrNoSupervisor means that Main was called in a process that no supervisor started.
var ErrNoSupervisor = errors.New("the guard was not started by a supervisor")

// errGuardGone means that the guard has ended before its command: it was killed.
var errGuardGone = errors.New("the guard of the command was killed, and the command with it")

// Command is a command to run under a guard.
type Command struct {
	Argv           []string
	Environ        []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Grace          time.Duration // from SIGTERM to SIGKILL

	// Trust returns for how long from now the command may run; nil means for ever. It is
	// asked again every Every.
	Trust func() time.Duration
	Every time.Duration

	// Lost is the cause of the end of a context by which the command is ended at once,
	// for another may lead already.
	Lost error

	// Signals are passed on to the command; a value from Hurry kills it.
	Signals <-chan os.Signal
	Hurry   <-chan os.Signal
}

// Report tells how a command has ended.
type Report struct {
	// Code is the exit code of the command: CodeSignaled+n if signal n ended it.
	Code int `json:"code"`

	// Started means that the command was started, or may have been.
	Started bool `json:"started"`

	// Ended means that the command was told to end, and did not by itself.
	Ended bool `json:"ended"`

	// Failure is why the command was not started.
	Failure string `json:"failure,omitempty"`
}

// StartCode returns the exit code for a command that could not be started.
func StartCode(err error) int {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return CodeNotFound
	}
	return CodeNotRunnable
}
