package leadership

import (
	"context"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
)

// lease is a term as its holder sees it, which stands while its trust does.
type lease struct {
	trust
	record election.Record
	term   Term
	began  clock.Instant // the start of the attempt that claimed it
}

// newLease begins a term whose claim was attempted at start, and that is trusted for
// that long. ended is called once, when the lease ends; it must not block.
func newLease(ctx context.Context, c clock.Clock, rec election.Record, length time.Duration, start clock.Instant, ended func()) *lease {
	l := &lease{record: rec, term: termOf(rec), began: start}
	l.begin(context.WithValue(context.WithoutCancel(ctx), termKey{}, l), c, length, start, ErrLost, ended)
	return l
}
