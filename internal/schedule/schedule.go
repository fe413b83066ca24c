// Package schedule reads the specs that say when something is due: one parser for terms
// that are relinquished and for jobs.
package schedule

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Schedule says when something is due. The zero value is not usable.
type Schedule struct {
	every time.Duration // 0 where spec is the schedule
	spec  cron.Schedule
}

var parser = cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// Parse reads five fields of a cron spec, or six with the seconds first, or a
// descriptor such as @daily, after a time zone such as "CRON_TZ=Europe/Berlin " or not;
// or "@every 1h30m", of 1ms at least. Sunday is 0, 7 or SUN. Its errors say what the
// spec must be.
func Parse(spec string) (Schedule, error) {
	zone, rest := "", strings.TrimSpace(spec)
	if strings.HasPrefix(rest, "TZ=") || strings.HasPrefix(rest, "CRON_TZ=") {
		zone, rest, _ = strings.Cut(rest, " ")
		rest = strings.TrimSpace(rest)
		if strings.HasSuffix(zone, "=") {
			return Schedule{}, errors.New("must name a time zone after TZ=")
		}
		zone += " "
	}
	interval, isEvery := strings.CutPrefix(rest, "@every")
	switch {
	case rest == "":
		return Schedule{}, errors.New("must have a cron expression")
	case strings.HasPrefix(rest, "cron(") || strings.HasPrefix(rest, "rate("):
		return Schedule{}, errors.New(`must be written without "cron(" or "rate(": those of AWS are another format, which has the year last`)
	case strings.Contains(rest, "?"):
		return Schedule{}, errors.New(`must not have "?": write "*" for any day; schedules of AWS are another format, which has the year last, where here a sixth field is the seconds, and first`)
	case isEvery && zone != "":
		return Schedule{}, errors.New("must not have a time zone: it means nothing to @every")
	case isEvery:
		every, err := time.ParseDuration(strings.TrimSpace(interval))
		if err != nil {
			return Schedule{}, fmt.Errorf(`must have a duration after @every, such as "@every 1h30m": %w`, err)
		}
		if every < time.Millisecond {
			return Schedule{}, fmt.Errorf("must have an interval of 1ms at least, and not %v", every)
		}
		return Schedule{every: every}, nil
	}
	if fields := strings.Fields(rest); len(fields) == 5 || len(fields) == 6 {
		last := &fields[len(fields)-1]
		*last = weekdays(*last)
		rest = strings.Join(fields, " ")
	}
	parsed, err := parser.Parse(zone + rest)
	if err != nil {
		return Schedule{}, fmt.Errorf("must be a cron spec: %w", err)
	}
	if parsed.Next(time.Now()).IsZero() {
		return Schedule{}, errors.New("must come at some time, and never does")
	}
	return Schedule{spec: parsed}, nil
}

// weekdays writes Sunday as 0 wherever it ends a week, which the parser does not know.
func weekdays(field string) string {
	var parts []string
	for part := range strings.SplitSeq(field, ",") {
		days, by, stepped := strings.Cut(part, "/")
		from, to, isRange := strings.Cut(days, "-")
		if !isRange {
			to = from
		}
		first, last, step := weekday(from), weekday(to), 1
		if isRange && last == 0 && first > 0 {
			last = 7
		}
		if stepped {
			step, _ = strconv.Atoi(by)
		}
		if last != 7 || first < 0 || step < 1 {
			parts = append(parts, part) // nothing to be written anew, or an error
			continue
		}
		for day := first; day <= last; day += step {
			parts = append(parts, strconv.Itoa(day%7))
		}
	}
	return strings.Join(parts, ",")
}

// weekday is the number of a day, or below 0 for what is none.
func weekday(name string) int {
	for day := time.Sunday; day <= time.Saturday; day++ {
		if strings.EqualFold(name, day.String()[:3]) {
			return int(day)
		}
	}
	if day, err := strconv.Atoi(name); err == nil && day <= 7 {
		return day
	}
	return -1
}

// Every returns the interval of "@every", and 0 for what comes by the clock.
func (s Schedule) Every() time.Duration { return s.every }

// Next returns the first instant after now, or a zero time if there is none in five
// years. Those of an interval are its multiples since the year 1, UTC. A time of day is in
// the time zone of the spec, or else in that of now: one that the change to summer time
// skips does not come that day, and one that comes twice, an hour apart, is two instants.
func (s Schedule) Next(now time.Time) time.Time {
	if s.every != 0 {
		return s.Latest(now).Add(s.every)
	}
	return s.spec.Next(now)
}

// Latest returns the last instant at or before now, or a zero time.
func (s Schedule) Latest(now time.Time) time.Time {
	if s.every != 0 {
		return now.Truncate(s.every)
	}
	// It goes back until there is an instant before now: a spec only tells what
	// comes next.
	const longest = 10 * 366 * 24 * time.Hour // there are 8 years without a 29 February
	for back := time.Minute; back < longest; back *= 2 {
		at := s.spec.Next(now.Add(-back))
		if at.IsZero() || at.After(now) {
			continue
		}
		for {
			later := s.spec.Next(at)
			if later.IsZero() || later.After(now) {
				return at
			}
			at = later
		}
	}
	return time.Time{}
}
