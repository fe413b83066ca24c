package storetest

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// trial is a run of a check, in place of its testing.TB: it decides what a failure means,
// and ends at a deadline.
type trial struct {
	testing.TB

	can   Capabilities
	base  string               // in all keys of the check, and in no others; letters, digits and a hyphen
	open  func() store.Store   // connects another client
	blame func(failure string) // is called for each failure

	patience time.Duration // how long to wait for what should happen much sooner

	mu       sync.Mutex
	over     bool // failures are ignored from now on
	failed   bool
	skipped  bool
	cleanups []func()
}

func newTrial(t testing.TB, open func(testing.TB) store.Store, can Capabilities) *trial {
	if can.Expiry == 0 {
		can.Expiry = time.Second
	}
	tr := &trial{TB: t, can: can, base: fmt.Sprintf("storetest-%016x", rand.Uint64()), patience: 10 * time.Second}
	tr.open = func() store.Store { return open(tr) }
	return tr
}

// run runs test in a goroutine and returns when it has ended and cleaned up, or at the
// limit.
func (tr *trial) run(test func(*trial), limit time.Duration) {
	tr.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer tr.clean()
		tr.guard(func() { test(tr) })
	}()
	select {
	case <-done:
	case <-time.After(limit):
		stacks := make([]byte, 1<<20)
		tr.Errorf("it has not ended in %v", limit)
		tr.Logf("%s", stacks[:runtime.Stack(stacks, true)])
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.over = true
}

// guard runs f and turns its panic into a failure: a panic of an adapter must not end the
// other checks.
func (tr *trial) guard(f func()) {
	defer func() {
		if what := recover(); what != nil {
			tr.Errorf("panic: %v\n%s", what, debug.Stack())
		}
	}()
	f()
}

// clean calls the functions that were given to Cleanup, last first.
func (tr *trial) clean() {
	for {
		tr.mu.Lock()
		last := len(tr.cleanups) - 1
		if last < 0 {
			tr.mu.Unlock()
			return
		}
		f := tr.cleanups[last]
		tr.cleanups = tr.cleanups[:last]
		tr.mu.Unlock()

		ended := make(chan struct{})
		go func() { // f may end its goroutine
			defer close(ended)
			tr.guard(f)
		}()
		<-ended
	}
}

// fail records and reports a failure, unless the trial is over.
func (tr *trial) fail(what string) {
	tr.Helper()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.failed = true
	if !tr.over {
		tr.blame(strings.TrimSuffix(what, "\n"))
	}
}

// The methods of testing.TB that report or end the test.

func (tr *trial) Error(args ...any) {
	tr.Helper()
	tr.fail(fmt.Sprintln(args...))
}

func (tr *trial) Errorf(format string, args ...any) {
	tr.Helper()
	tr.fail(fmt.Sprintf(format, args...))
}

func (tr *trial) Fatal(args ...any) {
	tr.Helper()
	tr.fail(fmt.Sprintln(args...))
	runtime.Goexit()
}

func (tr *trial) Fatalf(format string, args ...any) {
	tr.Helper()
	tr.fail(fmt.Sprintf(format, args...))
	runtime.Goexit()
}

func (tr *trial) Fail() {
	tr.Helper()
	tr.fail("it failed")
}

func (tr *trial) FailNow() {
	tr.Helper()
	tr.fail("it failed")
	runtime.Goexit()
}

func (tr *trial) Failed() bool {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.failed
}

func (tr *trial) Log(args ...any) {
	tr.Helper()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if !tr.over {
		tr.TB.Log(args...)
	}
}

func (tr *trial) Logf(format string, args ...any) {
	tr.Helper()
	tr.Log(fmt.Sprintf(format, args...))
}

func (tr *trial) Skip(args ...any) {
	tr.Helper()
	tr.Log(args...)
	tr.SkipNow()
}

func (tr *trial) Skipf(format string, args ...any) {
	tr.Helper()
	tr.Logf(format, args...)
	tr.SkipNow()
}

func (tr *trial) SkipNow() {
	tr.mu.Lock()
	tr.skipped = true
	tr.mu.Unlock()
	runtime.Goexit()
}

func (tr *trial) Skipped() bool {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.skipped
}

func (tr *trial) Cleanup(f func()) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.cleanups = append(tr.cleanups, f)
}
