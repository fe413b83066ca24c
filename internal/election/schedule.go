package election

import (
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
)

// Schedule is when a term is to be relinquished. The zero value is never.
type Schedule struct {
	After time.Duration                   // since the term began; 0 for never
	Next  func(after time.Time) time.Time // the next time of day; wins over After; nil for none

	// Skip is how soon after its beginning a term is not relinquished by Next: else a
	// handover at midnight to a node whose clock is a little slow would be followed by
	// another at its own midnight.
	Skip time.Duration
}

// Due returns how long after now a term that began at since is to be relinquished: 0 or
// less if it is to be now, Never for never. Intervals go by the clock that says that
// more time is gone, times of the day by the wall clock.
func (s Schedule) Due(since, now clock.Instant) time.Duration {
	if s.Next != nil {
		// The wall clock may have been set since: a term that began when it was
		// ahead has not begun in the future.
		began := min(since.Wall, now.Wall-int64(now.Mono-since.Mono))
		next := s.Next(time.Unix(0, began).Add(s.Skip))
		if next.IsZero() {
			return clock.Never
		}
		return next.Sub(now.Time())
	}
	if s.After == 0 {
		return clock.Never
	}
	return s.After - now.Since(since)
}
