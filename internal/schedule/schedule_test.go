package schedule

import (
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
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
		s, err := Parse(c.spec)
		if err != nil {
			t.Error(err)
			continue
		}
		now := at(t, berlin, c.now)
		if got, want := s.Latest(now), at(t, berlin, c.latest); !got.Equal(want) {
			t.Errorf("%q at %v: latest %v, want %v", c.spec, now, got, want)
		}
		if got, want := s.Next(now), at(t, berlin, c.next); !got.Equal(want) {
			t.Errorf("%q at %v: next %v, want %v", c.spec, now, got, want)
		}
	}
}

func TestSpecsThatAreRefused(t *testing.T) {
	for spec, why := range map[string]string{
		"":                          "cron expression",
		" ":                         "cron expression",
		"TZ=UTC":                    "cron expression",
		"CRON_TZ=UTC ":              "cron expression",
		"CRON_TZ= 0 8 * * *":        "time zone",
		"CRON_TZ=Nowhere 0 8 * * *": "Nowhere",
		"CRON_TZ=UTC @every 5m":     "time zone",
		"* * * *":                   "5 to 6 fields",
		"* * * * * * *":             "5 to 6 fields",
		"61 * * * *":                "61",
		"0 0 30 2 *":                "never",
		"0 0 * * 8":                 "8",
		"0 0 * * 7-3":               "7",
		"0 0 * * 5-8":               "8",
		"0 0 * * SUN-SAT/0":         "step",
		"0 0 * * 1-7/0":             "above maximum",
		"0 0 * * 1-7/x":             "x",
		"0 0 * * -7":                "",
		"@never":                    "@never",
		"@every":                    "duration",
		"@every x":                  "x",
		"@every 0s":                 "1ms",
		"@every -1m":                "1ms",
		"@every 1us":                "1ms",
		"cron(0 10 * * ? *)":        "AWS",
		"rate(5 minutes)":           "AWS",
		"0 10 * * ? *":              "AWS",
		"0/15 12 ? * MON-FRI *":     "year last",
		"0 18 ? * MON-FRI 2026":     "year last",
		"0 8 ? * MON":               `write "*"`,
		"CRON_TZ=UTC 0 8 * * ?":     `write "*"`,
		"0 10 * * 1 2026":           "2026",
		"0 0 L * *":                 "L",
	} {
		if _, err := Parse(spec); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: got %v, want an error with %q", spec, err, why)
		}
	}
}

// TestSevenIsSunday takes each spec to be the other.
func TestSevenIsSunday(t *testing.T) {
	for spec, same := range map[string]string{
		"7": "0", "07": "SUN", "5-7": "5,6,0", "0-7": "0-6", "1-7": "*", "7-7": "0", "1-7/2": "1,3,5,0", "5-7/3": "5",
		"7/2": "0", "1,7": "0-1", "6-7,3": "0,3,6", "FRI-SUN": "5,6,0", "fri-sun": "0,5,6", "6-SUN": "0,6", "MON-7": "*",
		"SUN": "0", "SUN-TUE": "0-2", "*": "0-6", "*/2": "0,2,4,6", "1-5": "MON-FRI",
	} {
		got, err := Parse("0 8 * * " + spec)
		want, err2 := Parse("30 0 8 * * " + same)
		if err != nil || err2 != nil {
			t.Errorf("%q: %v, %v", spec, err, err2)
			continue
		}
		from := at(t, "UTC", "2026-03-01 12:00:00 UTC")
		a, b := from, from
		for range 20 {
			if a, b = got.Next(a), want.Next(b); !a.Add(30 * time.Second).Equal(b) {
				t.Errorf("%q: %v, want %v", spec, a, b.Add(-30*time.Second))
				break
			}
		}
	}
}

// TestChangesOfSummerTime: an instant that is skipped does not come, and one that comes
// twice is two.
func TestChangesOfSummerTime(t *testing.T) {
	for _, c := range []struct {
		zone, spec, from string
		want             []string
	}{
		// At 02:00 CET it is 03:00 CEST.
		{"Europe/Berlin", "30 2 * * *", "2026-03-28 00:00:00 CET", []string{"2026-03-28 02:30:00 CET", "2026-03-30 02:30:00 CEST"}},
		{"Europe/Berlin", "0 2 * * *", "2026-03-28 12:00:00 CET", []string{"2026-03-30 02:00:00 CEST"}},
		{"Europe/Berlin", "0 3 * * *", "2026-03-28 12:00:00 CET", []string{"2026-03-29 03:00:00 CEST"}},
		{"Europe/Berlin", "30 * * * *", "2026-03-29 01:00:00 CET", []string{"2026-03-29 01:30:00 CET", "2026-03-29 03:30:00 CEST"}},
		// At 03:00 CEST it is 02:00 CET.
		{"Europe/Berlin", "30 2 * * *", "2026-10-24 12:00:00 CEST", []string{"2026-10-25 02:30:00 CEST", "2026-10-25 02:30:00 CET", "2026-10-26 02:30:00 CET"}},
		{"Europe/Berlin", "0 3 * * *", "2026-10-24 12:00:00 CEST", []string{"2026-10-25 03:00:00 CET"}},
		{"Europe/Berlin", "30 * * * *", "2026-10-25 01:00:00 CEST", []string{"2026-10-25 01:30:00 CEST", "2026-10-25 02:30:00 CEST", "2026-10-25 02:30:00 CET"}},
		// Days that have no midnight, and by half an hour.
		{"Africa/Cairo", "@daily", "2026-04-23 12:00:00 EET", []string{"2026-04-25 00:00:00 EEST"}},
		{"Africa/Cairo", "0 12 * * *", "2026-04-23 12:00:00 EET", []string{"2026-04-24 12:00:00 EEST", "2026-04-25 12:00:00 EEST"}},
		{"Australia/Lord_Howe", "15 2 * * *", "2026-10-03 02:00:00 UTC", []string{"2026-10-05 02:15:00 +11"}},
		// No time of day.
		{"Europe/Berlin", "@every 1h", "2026-03-29 01:00:00 CET", []string{"2026-03-29 03:00:00 CEST", "2026-03-29 04:00:00 CEST"}},
	} {
		location, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range []string{c.spec, "CRON_TZ=" + c.zone + " " + c.spec} {
			s, err := Parse(spec)
			if err != nil {
				if !strings.Contains(spec, "TZ=") || s.Every() != 0 {
					t.Error(err)
				}
				continue
			}
			now := at(t, c.zone, c.from).In(location)
			var got []string
			for range c.want {
				before := now
				now = s.Next(now)
				got = append(got, now.In(location).Format("2006-01-02 15:04:05 MST"))
				if latest := s.Latest(now.Add(time.Second)); !latest.Equal(now) {
					t.Errorf("%q: the latest after %v is %v", spec, now, latest)
				}
				if latest := s.Latest(now.Add(-time.Second)); latest.After(before) {
					t.Errorf("%q: %v is due between %v and %v", spec, latest, before, now)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("%q after %s: %q, want %q", spec, c.from, got, c.want)
			}
		}
	}
}

func TestRareAndDenseInstantsAreFoundSoon(t *testing.T) {
	s, err := Parse("* * * 29 2 *") // each second of a day in four years
	if err != nil {
		t.Fatal(err)
	}
	now := at(t, "UTC", "2027-03-01 12:00:00 UTC")
	began := time.Now()
	if got, want := s.Latest(now), at(t, "UTC", "2024-02-29 23:59:59 UTC"); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	t.Log(time.Since(began))
}
