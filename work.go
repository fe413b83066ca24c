package leadership

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
)

// errWorkExited is what work that calls runtime.Goexit is taken to return.
var errWorkExited = errors.New("leadership: the work ended its goroutine without returning")

// work is that of the terms of a campaign in Run. Only one runs at a time.
type work struct {
	do       func(context.Context, Term) error // nil but in Run
	function any                               // the function that a log names, where it does not return

	running         bool          // that of the term has not returned
	since, patience time.Duration // since when it has been overdue, and how long it may be

	mu       sync.Mutex
	returned *outcome
}

// outcome is how work has ended.
type outcome struct {
	err      error
	panicked *PanicError
}

// begin begins the work of a term. returned is called when it has returned.
func (w *work) begin(t *term, returned func()) {
	w.running, w.patience = true, 0
	go func() {
		did := &outcome{err: errWorkExited}
		defer func() {
			if v := recover(); v != nil {
				did.panicked = &PanicError{v, debug.Stack()}
			}
			w.mu.Lock()
			w.returned = did
			w.mu.Unlock()
			returned()
		}()
		did.err = w.do(t.lease.Context(), t.clone())
	}()
}

// take returns how the work has ended, once, or nil.
func (w *work) take() *outcome {
	w.mu.Lock()
	defer w.mu.Unlock()
	did := w.returned
	w.returned = nil
	return did
}

// due is when to complain of work that is overdue.
func (w *work) due() time.Duration {
	if !w.running || w.patience == 0 {
		return clock.Never
	}
	return w.since + w.patience
}
