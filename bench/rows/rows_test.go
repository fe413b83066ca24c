package rows

import (
	"context"
	"errors"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"testing"

	"github.com/seed-a1d591d3/leadership/bench/peers"
	"github.com/seed-a1d591d3/leadership/bench/stat"
)

func TestRowsHaveNamesOfTheirOwnAndKnownSides(t *testing.T) {
	seen := make(map[string]bool)
	for _, r := range All(false) {
		if seen[r.Name()] {
			t.Errorf("two rows are called %s", r.Name())
		}
		seen[r.Name()] = true
		if len(r.Sides) == 0 || r.Kind.turns(r.N) < 1 {
			t.Errorf("row %s has sides %v and %d turns", r.Name(), r.Sides, r.Kind.turns(r.N))
		}
	}
	for _, s := range stores {
		for _, side := range s.sides {
			if _, err := peers.Find(side); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestRowsAreSelectedByNameBeginningOrPattern(t *testing.T) {
	for list, want := range map[string][]string{
		"handover/etcd/100":    {"handover/etcd/100"},
		"rounds":               {"rounds/redis", "rounds/postgres", "rounds/etcd"},
		"idle/*/10000":         {"idle/etcd/10000", "idle/redis/10000", "idle/postgres/10000"},
		"ask,handover/etcd/10": {"handover/etcd/10", "ask"},
		"handover/etcd/10,handover/etcd/10,rounds/redis": {"handover/etcd/10", "rounds/redis"},
	} {
		got, err := Select(All(false), list)
		if err != nil {
			t.Errorf("%s: %v", list, err)
		}
		var names []string
		for _, r := range got {
			names = append(names, r.Name())
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s: %v, want %v", list, names, want)
		}
	}
	for _, list := range []string{"handover/et", "nothing", "[", "handover,"} {
		if got, err := Select(All(false), list); err == nil {
			t.Errorf("%q selects %d rows", list, len(got))
		}
	}
}

func TestSideThatTakesFewerIsSkippedWithItsReason(t *testing.T) {
	for _, r := range All(false) {
		for _, side := range r.Sides {
			l, err := peers.Find(side)
			if err != nil {
				continue
			}
			limited := (r.Kind == handoverKind || r.Kind == failoverKind) && l.Most > 0 && r.N > l.Most ||
				r.Kind == idleKind && l.Held > 0 && r.N > l.Held || r.Kind == handoverKind && l.NoResign != ""
			if why := r.Skipped[side]; (why != "") != limited {
				t.Errorf("%s, %s: %q", r.Name(), side, why)
			}
		}
	}
}

func TestSideThatFailsIsToldAndOthersAreMeasured(t *testing.T) {
	measured := 0
	k := &Kind{
		Name: "fake", turns: func(int) int { return 3 }, light: func(int) bool { return false },
		measure: func(_ context.Context, s *sitting, side string) (map[string][]float64, error) {
			switch side {
			case "fails":
				return nil, errors.New("no\nroute")
			case "found":
				return map[string][]float64{"ms": {7}}, finding("of 10 elections 3 were led")
			}
			measured++
			return map[string][]float64{"ms": {float64(s.turn)}}, nil
		},
	}
	r := &Row{Kind: k, Store: "store", Sides: []string{"works", "fails", "found", "skipped"}, Skipped: map[string]string{"skipped": "too many"}}
	var got []Outcome
	b := &Bench{Log: t.Output()}
	if err := b.Measure(t.Context(), []*Row{r, r}, func(o Outcome) { got = append(got, o) }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || measured != 6 {
		t.Fatalf("%d rows are told, and %d turns measured", len(got), measured)
	}
	want := []Side{
		{"works", "", map[string]stat.Figure{"ms": {Median: 1, P99: 2, N: 3}}},
		{"fails", "failed: no; route", map[string]stat.Figure{}},
		{"found", "of 10 elections 3 were led", map[string]stat.Figure{"ms": {Median: 7, P99: 7, N: 1}}},
		{"skipped", "too many", map[string]stat.Figure{}},
	}
	if !reflect.DeepEqual(got[1].Sides, want) {
		t.Errorf("the sides are %+v", got[1].Sides)
	}
}

func TestProgramsOfAllLibrariesAreWellFormed(t *testing.T) {
	for _, l := range peers.Libraries {
		if _, err := parser.ParseFile(token.NewFileSet(), l.Side(), l.Program(), parser.AllErrors); err != nil {
			t.Error(err)
		}
	}
}
