package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/clock"
)

// health is a command that tells whether a node may lead.
type health struct {
	command  string
	every    time.Duration // 0: the default
	failures int

	latest  atomic.Pointer[error] // what the latest check has come to
	running sync.WaitGroup        // checks; one that begins after the end of the campaign starts nothing
}

// options returns those of a candidate with that TTL.
func (h *health) options(ttl time.Duration, environ []string) ([]leadership.Option, error) {
	switch {
	case h.command == "" && (h.every != 0 || h.failures != leadership.DefaultHealthFailures):
		return nil, usage("--health-interval and --health-failures are of no use without --health-check")
	case h.command == "":
		return nil, nil
	}
	// Before the candidate gives up the check: what the command has printed would be lost.
	limit := max(h.within(ttl)*9/10, time.Millisecond)
	opts := []leadership.Option{
		leadership.WithHealthCheck(func(ctx context.Context) error {
			h.running.Add(1)
			defer h.running.Done()
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			err := h.check(ctx, environ)
			h.latest.Store(&err)
			return err
		}),
		leadership.WithHealthFailures(h.failures),
	}
	if h.every != 0 {
		opts = append(opts, leadership.WithHealthInterval(h.every))
	}
	return opts, nil
}

// within returns how long a check may take: no time if there is none.
func (h *health) within(ttl time.Duration) time.Duration {
	if h.command == "" {
		return 0
	}
	return cmp.Or(h.every, ttl/3)
}

// problem returns why the node may not stand by the latest check, or nil. Safe for
// concurrent use.
func (h *health) problem() error {
	switch latest := h.latest.Load(); {
	case h.command == "":
		return nil
	case latest == nil:
		return errors.New("it has not returned")
	default:
		return *latest
	}
}

// checkError is the error of a check that has not passed.
type checkError struct{ error }

func (e checkError) Unwrap() error { return e.error }

// check runs the command in a shell, and returns an error unless it exits 0 before ctx ends.
func (h *health) check(ctx context.Context, environ []string) error {
	// It is ended with the thread that has started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := time.Now()
	var said tail
	c := exec.CommandContext(ctx, "/bin/sh", "-c", h.command)
	c.Env, c.Stdout, c.Stderr, c.WaitDelay = environ, &said, &said, 100*time.Millisecond
	contain(c)
	err := c.Run()
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // it has left something running
		return nil
	case ctx.Err() != nil:
		err = fmt.Errorf("killed after %s: %w", clock.About(time.Since(began)), ctx.Err())
	}
	if last := said.last(); last != "" {
		return checkError{fmt.Errorf("the command %q: %w: %s", h.command, err, last)}
	}
	return checkError{fmt.Errorf("the command %q: %w", h.command, err)}
}

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

const maxTail = 4 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.b = append(t.b, b...)
	t.b = t.b[max(len(t.b)-maxTail, 0):]
	return len(b), nil
}

// last is the last line, for people.
func (t *tail) last() string {
	all := bytes.TrimSpace(t.b)
	line := all[bytes.LastIndexByte(all, '\n')+1:]
	return printable(strings.ToValidUTF8(string(line[:min(len(line), 200)]), "\uFFFD"))
}
