package leadership

import (
	"context"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
)

// lease is a term as its holder sees it, which stands while its trust does.
type lease struct {
	trust
	record record
	term   Term
	began  clock.Instant // the start of the attempt that claimed it
}

// newLease begins a term whose claim was attempted at start, and that is trusted for
// that long. ended is called once, when the lease ends; it must not block.
func newLease(ctx context.Context, c clock.Clock, rec record, length time.Duration, start clock.Instant, ended func()) *lease {
	l := &lease{record: rec, term: rec.term(), began: start}
	l.begin(context.WithValue(context.WithoutCancel(ctx), termKey{}, l), c, length, start, ErrLost, ended)
	return l
}
