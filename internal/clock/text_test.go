package clock

import (
	"fmt"
	"testing"
	"time"
)

func TestDurationsAreWrittenAsPeopleWriteThem(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                                   "0s",
		50 * time.Millisecond:               "50ms",
		10 * time.Second:                    "10s",
		time.Minute:                         "1m",
		10 * time.Minute:                    "10m",
		90 * time.Second:                    "1m30s",
		time.Hour:                           "1h",
		10 * time.Hour:                      "10h",
		90 * time.Minute:                    "1h30m",
		time.Hour + time.Second:             "1h0m1s",
		365 * 24 * time.Hour:                "8760h",
		-time.Minute:                        "-1m",
		time.Minute + 20*time.Millisecond:   "1m0.02s",
		2*time.Minute + 500*time.Nanosecond: "2m0.0000005s",
	} {
		got := Text(d)
		if back, err := time.ParseDuration(got); got != want || err != nil || back != d {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	if got, want := fmt.Sprintf("%v from %s to %v", Texts("ttl", time.Minute, 3)...), "ttl from 1m to 3"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := About(time.Hour + time.Second/3); got != "1h" {
		t.Errorf("%q", got)
	}
}
