package run

import (
	"slices"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/stage"
)

func TestEveryFaultStrikesAStoreByItsName(t *testing.T) {
	names := make(map[string]bool)
	for _, f := range Faults {
		if f.Name == "" || f.About == "" || names[f.Name] || FindFault(f.Name) != f {
			t.Errorf("the fault %q (%q) has no name of its own, or does not tell what it is", f.Name, f.About)
		}
		names[f.Name] = true
		if f.Lasts[1] < f.Lasts[0] || f.Begin == nil {
			t.Errorf("%s lasts for %v TTLs", f.Name, f.Lasts)
		}
		if !slices.ContainsFunc(stage.Kinds, f.Strikes) {
			t.Errorf("%s strikes no store", f.Name)
		}
		if f.Lost && f.End == nil {
			t.Errorf("%s does not dismiss the process that it has started", f.Name)
		}
	}
	for _, k := range stage.Kinds {
		if stage.Find(k.Name) != k {
			t.Errorf("the store %q is not found", k.Name)
		}
	}
}

func TestSeedDecidesTheSchedule(t *testing.T) {
	f := FindFault("worker-stopped")
	one, again, other := f.schedule(1, time.Second), f.schedule(1, time.Second), f.schedule(2, time.Second)
	if !slices.Equal(one, again) || slices.Equal(one, other) {
		t.Errorf("seed 1 decides %v and %v, seed 2 %v", one, again, other)
	}
	for _, p := range one {
		if p.lasts < 300*time.Millisecond || p.lasts > 3*time.Second || p.gap < 400*time.Millisecond {
			t.Errorf("an episode of %v after %v", p.lasts, p.gap)
		}
	}
	double := f.schedule(1, 2*time.Second)
	if d := double[0].lasts - 2*one[0].lasts; d < -time.Microsecond || d > time.Microsecond {
		t.Errorf("the same episode lasts %v with a TTL of a second, and %v with one of two", one[0].lasts, double[0].lasts)
	}
}
