package schedule

import (
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
)

// FuzzParse: what is accepted has instants, in order, and those that the parser finds that
// users know from elsewhere, which has no Sunday at the end of a week; Latest and Next agree.
func FuzzParse(f *testing.F) {
	others := cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	f.Fuzz(func(t *testing.T, spec string, unix int64) {
		s, err := Parse(spec)
		if err != nil {
			if s != (Schedule{}) {
				t.Errorf("%q: a schedule with an error: %v", spec, err)
			}
			return
		}
		theirs, errOthers := others.Parse(spec) // which panics for some that were refused
		now := time.Unix(unix%(1<<33), unix%1e9).UTC()
		next, latest := s.Next(now), s.Latest(now)
		if next.IsZero() {
			return // none in five years, such as the next 29 February of a century
		}
		if !next.After(now) || latest.After(now) {
			t.Errorf("%q at %v: latest %v, next %v", spec, now, latest, next)
		}
		if before := s.Latest(next.Add(-1)); !before.Equal(latest) {
			t.Errorf("%q at %v: latest %v, and just before the next, %v, %v", spec, now, latest, next, before)
		}
		if at := s.Latest(next); !at.Equal(next) {
			t.Errorf("%q: latest at %v is %v", spec, next, at)
		}
		if !latest.IsZero() && !s.Next(latest).Equal(next) {
			t.Errorf("%q: %v follows %v, and at %v it is %v", spec, s.Next(latest), latest, now, next)
		}
		if strings.Contains(spec, "@every") {
			if errOthers == nil && s.Every() > 0 && s.Every() >= time.Second && theirs.Next(now).Sub(now) > s.Every()+time.Second {
				t.Errorf("%q is every %v", spec, s.Every())
			}
			return
		}
		if errOthers == nil && !theirs.Next(now).Equal(next) {
			t.Errorf("%q at %v: next %v, for others %v", spec, now, next, theirs.Next(now))
		}
	})
}
