package clock

import (
	"slices"
	"strings"
	"time"
)

// Text returns a duration as people write it: 1h30m, not 1h30m0s.
func Text(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Texts returns the arguments of a message, with the Text of those that are durations.
func Texts(args ...any) []any {
	args = slices.Clone(args)
	for i, arg := range args {
		if d, ok := arg.(time.Duration); ok {
			args[i] = Text(d)
		}
	}
	return args
}

// About returns the Text of a duration that was measured, with the three digits that people
// want.
func About(d time.Duration) string { return Text(Rounded(d)) }
