package leadership

import (
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	specs "github.com/seed-a1d591d3/leadership/internal/schedule"
)

// schedule says when a term is to be relinquished. It is pure. The zero value
// says never.
type schedule struct {
	after time.Duration   // since the term began; 0 for never
	spec  *specs.Schedule // wins over after; nil for none

	// skip is how soon after its beginning a term is not relinquished by spec:
	// else a handover at midnight to a node whose clock is a little slow would
	// be followed by another at its own midnight.
	skip time.Duration
}

// due returns how long after now, at which a term is on that began at since, it
// is to be relinquished: 0 or less if it is to be now, never for never. Intervals
// go by the clock that says that more time is gone, times of the day by the wall.
func (s schedule) due(since, now clock.Instant) time.Duration {
	after := s.after
	if s.spec != nil {
		if after = s.spec.Every(); after == 0 {
			// The wall clock may have been set since: a term that began when it was
			// ahead has not begun in the future.
			began := min(since.Wall, now.Wall-int64(now.Mono-since.Mono))
			next := s.spec.Next(time.Unix(0, began).Add(s.skip))
			if next.IsZero() {
				return never
			}
			return next.Sub(now.Time())
		}
	}
	if after == 0 {
		return never
	}
	return after - now.Since(since)
}
