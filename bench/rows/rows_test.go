package rows

import (
	"go/parser"
	"go/token"
	"slices"
	"testing"

	"github.com/seed-a1d591d3/leadership/bench/peers"
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

func TestProgramsOfAllLibrariesAreWellFormed(t *testing.T) {
	for _, l := range peers.Libraries {
		if _, err := parser.ParseFile(token.NewFileSet(), l.Side(), l.Program(), parser.AllErrors); err != nil {
			t.Error(err)
		}
	}
}
