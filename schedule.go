package leadership

import (
	"time"

	"github.com/robfig/cron/v3"

	"github.com/seed-a1d591d3/leadership/internal/clock"
)

// schedule says when a term is to be relinquished. It is pure. The zero value
// says never.
type schedule struct {
	after time.Duration // since the term began; 0 for never
	spec  cron.Schedule // wins over after; nil for none

	// skip is how soon after its beginning a term is not relinquished by spec:
	// else a handover at midnight to a node whose clock is a little slow would
	// be followed by another at its own midnight.
	skip time.Duration
}

// specParser reads five fields, or six with seconds first, and descriptors such
// as @daily and @every 1h30m; CRON_TZ=Europe/Berlin before them sets the zone.
var specParser = cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// due returns how long after now, at which a term is on that began at since, it
// is to be relinquished: 0 or less if it is to be now, never for never. Intervals
// go by the clock that says that more time is gone, times of the day by the wall.
func (s schedule) due(since, now clock.Instant) time.Duration {
	after := s.after
	if s.spec != nil {
		every, ok := s.spec.(cron.ConstantDelaySchedule)
		if !ok {
			next := s.spec.Next(since.Time().Add(s.skip))
			if next.IsZero() {
				return never
			}
			return next.Sub(now.Time())
		}
		after = every.Delay
	}
	if after == 0 {
		return never
	}
	return after - now.Since(since)
}
