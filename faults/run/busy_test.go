package run

import (
	"slices"
	"testing"

	"github.com/seed-a1d591d3/leadership/faults/history"
)

func TestCalmIsWhatABusyMachineLeaves(t *testing.T) {
	b := busy{spans: []span{{10, 20}, {30, 40}, {45, 60}}, from: 90}
	for _, test := range []struct {
		from, to history.Stamp
		want     []span
	}{
		{0, 5, []span{{0, 5}}},
		{0, 100, []span{{0, 10}, {20, 30}, {40, 45}, {60, 90}}},
		{12, 18, nil},
		{15, 35, []span{{20, 30}}},
		{50, 70, []span{{60, 70}}},
	} {
		if got := b.calm(test.from, test.to); !slices.Equal(got, test.want) {
			t.Errorf("from %d to %d it was calm in %v, want %v", test.from, test.to, got, test.want)
		}
	}
}
