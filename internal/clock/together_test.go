package clock

import (
	"testing"
	"time"
)

func TestWaitsEndTogether(t *testing.T) {
	for _, c := range []struct{ until, slack, want time.Duration }{
		{1000, 0, 1000},
		{1000, 300, 1200},
		{1199, 300, 1200},
		{1200, 300, 1500}, // later, not at once
		{-50, 300, 0},
		{Never, 300, Never},
		{Never - 1, 300, Never - 1},
	} {
		if got := Together(c.until, c.slack); got != c.want {
			t.Errorf("Together(%d, %d) = %d, want %d", c.until, c.slack, got, c.want)
		}
	}
}
