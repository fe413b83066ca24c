package faultstore_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store/faultstore"
)

func TestPlanIsAskedForEachCallWithItsNumber(t *testing.T) {
	var asked []string
	_, kv := open(t, faultstore.WithPlan(func(c faultstore.Call) faultstore.Fault {
		asked = append(asked, fmt.Sprintf("%s %s %d", c.Op, c.Key, c.Seq))
		return faultstore.Fault{Err: faultstore.ErrInjected}
	}))
	_, _ = kv.Get(t.Context(), "a", nil)
	_, _ = kv.Get(t.Context(), "b", nil)
	_, _, _ = kv.AtomicPut(t.Context(), "a", nil, nil, nil)
	_, _ = kv.AtomicDelete(t.Context(), "a", nil)
	_, _ = kv.List(t.Context(), "dir", nil)
	_, _ = kv.Watch(t.Context(), "a", nil)
	kv.SetPlan(nil)
	_, _ = kv.Get(t.Context(), "unplanned", nil)
	want := []string{"get a 1", "get b 2", "atomic put a 1", "atomic delete a 1", "list dir 1", "watch a 1"}
	if !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

var wild = faultstore.Rates{
	Fail: 0.2, LoseReply: 0.2, Before: 0.5, After: 0.5, IgnoreContext: 0.3,
	Mute: 0.3, Lag: 0.5, Die: 0.5,
	MaxDelay: time.Second, MaxLife: time.Minute,
}

// draw asks a plan about many calls.
func draw(plan faultstore.Plan, op faultstore.Op) []faultstore.Fault {
	faults := make([]faultstore.Fault, 4000)
	for i := range faults {
		faults[i] = plan(faultstore.Call{Op: op, Key: key, Seq: i + 1})
	}
	return faults
}

func TestRandomPlanRepeatsItselfForTheSameSeedOnly(t *testing.T) {
	a, again := draw(faultstore.Random(1, wild), faultstore.OpWatch), draw(faultstore.Random(1, wild), faultstore.OpWatch)
	if !slices.Equal(a, again) {
		t.Error("one seed gave two plans")
	}
	if slices.Equal(a, draw(faultstore.Random(2, wild), faultstore.OpWatch)) {
		t.Error("two seeds gave one plan")
	}
	if slices.Equal(draw(faultstore.Random(1, wild), faultstore.OpGet), draw(faultstore.Random(1, wild), faultstore.OpList)) {
		t.Error("two ops have the same faults")
	}
}

func TestRandomPlanKeepsItsRates(t *testing.T) {
	share := func(op faultstore.Op, hit func(faultstore.Fault) bool) float64 {
		n := 0
		faults := draw(faultstore.Random(7, wild), op)
		for _, f := range faults {
			if hit(f) {
				n++
			}
		}
		return float64(n) / float64(len(faults))
	}
	for _, c := range []struct {
		name string
		op   faultstore.Op
		want float64
		hit  func(faultstore.Fault) bool
	}{
		{"Fail", faultstore.OpGet, 0.2, func(f faultstore.Fault) bool { return f.Err != nil }},
		{"LoseReply", faultstore.OpGet, 0.2 * 0.8, func(f faultstore.Fault) bool { return f.LoseReply }},
		{"Before", faultstore.OpGet, 0.5, func(f faultstore.Fault) bool { return f.Before > 0 }},
		{"After", faultstore.OpGet, 0.5, func(f faultstore.Fault) bool { return f.After > 0 }},
		{"long Before", faultstore.OpGet, 0.25, func(f faultstore.Fault) bool { return f.Before > time.Second/2 }},
		{"IgnoreContext", faultstore.OpGet, 0.3, func(f faultstore.Fault) bool { return f.IgnoreContext }},
		{"IgnoreContext of a watch", faultstore.OpWatch, 0, func(f faultstore.Fault) bool { return f.IgnoreContext }},
		{"Mute", faultstore.OpWatch, 0.3, func(f faultstore.Fault) bool { return f.Mute }},
		{"Lag", faultstore.OpWatch, 0.5, func(f faultstore.Fault) bool { return f.Lag > 0 }},
		{"Die", faultstore.OpWatch, 0.5, func(f faultstore.Fault) bool { return f.Life > 0 }},
		{"watch faults of a Get", faultstore.OpGet, 0, func(f faultstore.Fault) bool { return f.Mute || f.Lag > 0 || f.Life > 0 }},
		{"too long", faultstore.OpWatch, 0, func(f faultstore.Fault) bool {
			return max(f.Before, f.After, f.Lag) > time.Second || f.Life > time.Minute
		}},
	} {
		// Over 4000 draws, 0.04 is five standard deviations.
		if got := share(c.op, c.hit); got < c.want-0.04 || got > c.want+0.04 || (c.want == 0 && got != 0) {
			t.Errorf("%s: share %.3f, want %.3f", c.name, got, c.want)
		}
	}
}

func TestRaisingOneRateOnlyAddsItsFaults(t *testing.T) {
	raised := wild
	raised.Before = 1
	before, after := draw(faultstore.Random(3, wild), faultstore.OpGet), draw(faultstore.Random(3, raised), faultstore.OpGet)
	for i, f := range after {
		if f.Before == 0 {
			t.Fatalf("call %d is not delayed", i)
		}
		if before[i].Before == 0 {
			f.Before = 0
		}
		if f != before[i] {
			t.Fatalf("call %d has %+v, had %+v", i, f, before[i])
		}
	}
}

func TestZeroRatesInjectNothing(t *testing.T) {
	for _, f := range draw(faultstore.Random(1, faultstore.Rates{}), faultstore.OpWatch) {
		if f != (faultstore.Fault{}) {
			t.Fatalf("injected %+v", f)
		}
	}
}
