package leadcron

import (
	"errors"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership"
)

func at(t *testing.T, zone, text string) time.Time {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	when, err := time.ParseInLocation("2006-01-02 15:04:05.999 MST", text, location)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func TestInstantsOfASchedule(t *testing.T) {
	const berlin = "Europe/Berlin"
	for _, c := range []struct{ spec, now, latest, next string }{
		{"* * * * *", "2026-03-01 08:00:00 CET", "2026-03-01 08:00:00 CET", "2026-03-01 08:01:00 CET"},
		{"* * * * *", "2026-03-01 07:59:59.999 CET", "2026-03-01 07:59:00 CET", "2026-03-01 08:00:00 CET"},
		{"*/10 * * * * *", "2026-03-01 08:00:19 CET", "2026-03-01 08:00:10 CET", "2026-03-01 08:00:20 CET"},
		{"0 8 * * *", "2026-03-01 07:59:59 CET", "2026-02-28 08:00:00 CET", "2026-03-01 08:00:00 CET"},
		{"CRON_TZ=UTC 0 8 * * *", "2026-03-01 08:59:59 CET", "2026-02-28 09:00:00 CET", "2026-03-01 09:00:00 CET"},
		{"TZ=America/New_York 0 8 * * *", "2026-03-01 15:00:00 CET", "2026-03-01 14:00:00 CET", "2026-03-02 14:00:00 CET"},
		{"0 8 * * MON", "2026-03-01 12:00:00 CET", "2026-02-23 08:00:00 CET", "2026-03-02 08:00:00 CET"},
		{"0 0 29 2 *", "2027-03-01 12:00:00 CET", "2024-02-29 00:00:00 CET", "2028-02-29 00:00:00 CET"},
		{"@hourly", "2026-03-01 12:34:56 CET", "2026-03-01 12:00:00 CET", "2026-03-01 13:00:00 CET"},
		{"@every 5m", "2026-03-01 12:34:56 CET", "2026-03-01 12:30:00 CET", "2026-03-01 12:35:00 CET"},
		{"@every 250ms", "2026-03-01 12:34:56.7 CET", "2026-03-01 12:34:56.5 CET", "2026-03-01 12:34:56.75 CET"},
		// Summer time comes at 02:00 and goes at 03:00.
		{"30 2 * * *", "2026-03-29 12:00:00 CEST", "2026-03-28 02:30:00 CET", "2026-03-30 02:30:00 CEST"},
		{"30 4 * * *", "2026-03-29 12:00:00 CEST", "2026-03-29 04:30:00 CEST", "2026-03-30 04:30:00 CEST"},
		{"30 4 * * *", "2026-10-25 12:00:00 CET", "2026-10-25 04:30:00 CET", "2026-10-26 04:30:00 CET"},
	} {
		s, err := parse(c.spec)
		if err != nil {
			t.Error(err)
			continue
		}
		now := at(t, berlin, c.now)
		if got, want := s.latest(now), at(t, berlin, c.latest); !got.Equal(want) {
			t.Errorf("%q at %v: latest %v, want %v", c.spec, now, got, want)
		}
		if got, want := s.next(now), at(t, berlin, c.next); !got.Equal(want) {
			t.Errorf("%q at %v: next %v, want %v", c.spec, now, got, want)
		}
	}
}

func TestSpecsThatWillNotDo(t *testing.T) {
	for _, spec := range []string{
		"", "* * * *", "* * * * * * *", "61 * * * *", "0 0 30 2 *", "@every", "@every x", "@every 0s",
		"@every -1m", "@every 1us", "@never", "TZ=UTC", "CRON_TZ=UTC", "CRON_TZ=Nowhere 0 8 * * *", "CRON_TZ=UTC @every 5m",
	} {
		if _, err := parse(spec); !errors.Is(err, leadership.ErrInvalidArgument) {
			t.Errorf("%q: got %v, want ErrInvalidArgument", spec, err)
		}
	}
}

func TestRareAndDenseInstantsAreFoundSoon(t *testing.T) {
	s, err := parse("* * * 29 2 *") // each second of a day in four years
	if err != nil {
		t.Fatal(err)
	}
	now := at(t, "UTC", "2027-03-01 12:00:00 UTC")
	began := time.Now()
	if got, want := s.latest(now), at(t, "UTC", "2024-02-29 23:59:59 UTC"); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	t.Log(time.Since(began))
}
