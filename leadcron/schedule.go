package leadcron

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/seed-a1d591d3/leadership"
)

// schedule tells when a job is due.
type schedule interface {
	// latest returns the last instant at or before now, or a zero time.
	latest(now time.Time) time.Time
	// next returns the first instant after now, or a zero time.
	next(now time.Time) time.Time
}

// parse makes a schedule of a spec. Where that names no time zone, it is that of
// the times which the schedule is asked about.
func parse(spec string) (schedule, error) {
	invalid := func(err error) error {
		return fmt.Errorf("leadcron: %w: schedule is %q: %w", leadership.ErrInvalidArgument, spec, err)
	}
	if d, ok := strings.CutPrefix(spec, "@every "); ok {
		interval, err := time.ParseDuration(strings.TrimSpace(d))
		if err == nil && interval < time.Millisecond {
			err = errors.New("must be every 1ms at most")
		}
		if err != nil {
			return nil, invalid(err)
		}
		return every(interval), nil
	}
	if strings.HasPrefix(spec, "TZ=") || strings.HasPrefix(spec, "CRON_TZ=") {
		// The parser panics where nothing follows the zone.
		if _, rest, ok := strings.Cut(spec, " "); !ok || strings.HasPrefix(rest, "@every") {
			return nil, invalid(errors.New("must have a cron expression after the time zone"))
		}
	}
	parser := cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	s, err := parser.Parse(spec)
	if err != nil {
		return nil, invalid(err)
	}
	if s.Next(time.Now()).IsZero() {
		return nil, invalid(errors.New("is never due"))
	}
	return expression{s}, nil
}

// every is due at the multiples of a duration since the year 1, UTC.
type every time.Duration

func (e every) latest(now time.Time) time.Time { return now.Truncate(time.Duration(e)) }

func (e every) next(now time.Time) time.Time { return e.latest(now).Add(time.Duration(e)) }

// expression is a cron expression.
type expression struct{ cron.Schedule }

func (e expression) next(now time.Time) time.Time { return e.Next(now) }

// latest goes back until there is an instant before now: an expression only
// tells what comes next.
func (e expression) latest(now time.Time) time.Time {
	const longest = 10 * 366 * 24 * time.Hour // there are 8 years without a 29 February
	for back := time.Minute; back < longest; back *= 2 {
		at := e.Next(now.Add(-back))
		if at.IsZero() || at.After(now) {
			continue
		}
		for {
			later := e.Next(at)
			if later.IsZero() || later.After(now) {
				return at
			}
			at = later
		}
	}
	return time.Time{}
}
