package leadership

import (
	"context"
	"errors"
)

// Run campaigns like RunForElection and, whenever the candidate leads, calls
// work with the term and a context that ends when the term does, at the latest
// when its claim can no longer be trusted; context.Cause tells why: ErrLost,
// ErrResigned, ErrStopped, or the cause of ctx. Only one work runs at a time.
//
// When the candidate steps down by choice (Resign, Stop, the end of ctx, the
// return of work) the seat is given up only after work has returned. Work that
// does not return keeps its seat until the record expires by itself, and keeps
// Run from returning.
//
// When work returns nil, or the error of its context after that has ended, the
// candidate resigns and campaigns on. When it returns another error, Run
// resigns and returns that error. Run also returns nil after Stop, the cause
// of ctx after its end, and ErrInvalidArgument, ErrUnsafeStore, or ErrRunning
// when the candidate is campaigning already. It blocks until then; errors of
// the store are logged.
func (c *Candidate) Run(ctx context.Context, work func(ctx context.Context, term Term) error) error {
	if work == nil {
		return invalid("work", "nil", "must be a function")
	}
	campaign, err := c.start(ctx, nil, work)
	if err != nil {
		return err
	}
	<-campaign.done
	if campaign.err != nil {
		return campaign.err
	}
	if why := *campaign.stopping.Load(); !errors.Is(why, ErrStopped) {
		return why
	}
	return nil
}
