package leadership

import (
	"context"
	"errors"
	"fmt"
)

// PanicError is what Run panics with after its work has.
type PanicError struct {
	Value any    // what the work panicked with
	Stack []byte // of the goroutine that it did in
}

// Error implements error.
func (e *PanicError) Error() string {
	return fmt.Sprintf("leadership: the work panicked: %v\n%s", e.Value, e.Stack)
}

// Unwrap returns the value, if that is an error, or nil.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

type termKey struct{} // of a context's value

// TermFromContext returns the term of a context that Run gave to its work, or of one
// derived from that; false for any other context. The term may be over: but if it is,
// those contexts have ended once this has returned, also where no timer has fired
// yet. It does not block.
func TermFromContext(ctx context.Context) (Term, bool) {
	l, ok := ctx.Value(termKey{}).(*lease)
	if !ok {
		return Term{}, false
	}
	l.settle()
	return l.term.clone(), true
}

// Run campaigns like RunForElection and, whenever the candidate leads, calls
// work with the term and a context that ends when the term does, at the latest
// when its claim can no longer be trusted; context.Cause tells why: ErrLost,
// ErrResigned, ErrStopped, or the cause of ctx. WithGrace has it end earlier
// than that. TermFromContext finds the term in it. It has the values of ctx, and no
// deadline, since each renewal moves that. Its Err and Done are computed from the
// clock, as IsLeader is; for what is derived from it see the package comment. Only one
// work runs at a time.
//
// When the candidate steps down by choice (Resign, Stop, the end of ctx, the
// return of work) the seat is given up only after work has returned. Work that
// does not return keeps its seat until the record expires by itself, and keeps
// Run from returning.
//
// When work returns nil, or the error of its context after that has ended, the
// candidate resigns and campaigns on. When it returns another error, Run
// resigns and returns that error. When it panics, Run resigns and panics with
// the value and the stack of that, as a PanicError. Run also returns nil after Stop, the cause
// of ctx after its end, and ErrInvalidArgument, ErrUnsafeStore, or ErrRunning
// when the candidate is campaigning already. It blocks until then; errors of
// the store are logged.
func (c *Candidate) Run(ctx context.Context, work func(ctx context.Context, term Term) error) error {
	if work == nil {
		return invalid("work", "nil", "must be a function")
	}
	campaign, err := c.start(ctx, mandate{work: work, culprit: work})
	if err != nil {
		return err
	}
	return campaign.outcome()
}

// outcome waits until a campaign of Run has ended and says, or panics with, what
// ended it.
func (c *campaign) outcome() error {
	<-c.done
	if c.panicked != nil {
		panic(c.panicked)
	}
	if c.err != nil {
		return c.err
	}
	if why := *c.stopping.Load(); !errors.Is(why, ErrStopped) {
		return why
	}
	return nil
}
