package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// limits are what the repository is held to. They may fall, never rise.
var limits = map[string]int{
	mutualFiles:  5,
	largeStructs: 0,
	impurePlaces: 0,
	rootFiles:    18,
	longCode:     0,
	longTests:    0,
	longNames:    0,
	spreadRules:  0,
	words:        0,
}

func TestHouseKeepsToItsLimits(t *testing.T) {
	figures, about, err := survey(t.Context(), "../..")
	if err != nil {
		t.Fatal(err)
	}
	t.Log(strings.Join(about, "\n"))
	for _, f := range figures {
		switch limit := limits[f.what]; {
		case f.is > limit:
			t.Errorf("%d %s, the limit is %d:\n  %s", f.is, f.what, limit, strings.Join(f.which, "\n  "))
		case f.is < limit:
			t.Logf("%d %s: lower the limit, which is %d", f.is, f.what, limit)
		default:
			t.Logf("%d %s", f.is, f.what)
		}
	}
}

// repository writes a small one of the same module, with a defect of every kind.
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module " + module + "\n\ngo 1.26\n",
		"a.go":   "package leadership\n\ntype a struct{ inner }\n\nfunc f(x *a) int { return x.field + x.method() }\n\ntype big struct {\n\ta\n\tf1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14 int\n}\n",
		"b.go":   "package leadership\n\ntype inner struct{ field, other int }\n\nfunc (inner) method() int { return f(nil) }\n",
		"c.go":   "package leadership\n\nvar c = f\n",
		"internal/clock/clock.go": "package clock\n\ntype Instant int\n\nfunc (Instant) Since(Instant) int { return 0 }\n\n" +
			"type Clock interface{ Now() Instant }\n",
		"store/store.go": "package store\n\ntype Store interface{ Get() }\n",
		"internal/election/pure.go": "package election\n\nimport (\n\t\"time\"\n\n\t\"" + module + "/internal/clock\"\n)\n\n" +
			"func since(now, then clock.Instant) time.Duration { return time.Duration(now.Since(then)) }\n",
		"internal/election/impure.go": "package election\n\nimport (\n\t\"context\"\n\t\"math/rand/v2\"\n\t\"time\"\n\n\t\"" + module + "/internal/clock\"\n\t\"" + module + "/store\"\n)\n\n" +
			"func takesContext(context.Context) {}\nfunc takesStore(store.Store) {}\nfunc takesClock(c clock.Clock) {}\nfunc takesChannel(<-chan int) {}\n" +
			"func readsClock() time.Time { return time.Now() }\nfunc chance() int { return rand.Int() }\nfunc starts() { go starts() }\ntype keeps struct { s store.Store }\n" +
			"func readsOurs(x struct{ clock.Clock }) { x.Now() }\n\n// It has them\n// wait.\n",
		"internal/election/long_test.go": "package election\n" + strings.Repeat("\n", 399) + "func Test" + strings.Repeat("a", 61) + "() {}\n",
		"docs/a.md":                      "Whoever will not\ndo, means that it does not. ErrOld says so.\n",
		"internal/sim/broken_test.go":    "package sim\n\nvar broken = []sabotage{{\"S1\", \"how\", \"b.go\", \"\"}, {\"S1\", \"how\", \"a.go\", \"\"}, {\"S2\", \"how\", \"a.go\", \"\"}}\n",
		"other/go.mod":                   "module other\n",
		"other/long.go":                  "package other\n" + strings.Repeat("\n", 399),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSurveyFindsEveryDefect(t *testing.T) {
	figures, _, err := survey(t.Context(), repository(t))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		mutualFiles:  {"a.go and b.go"},
		largeStructs: {"leadership.big: 14 fields, 16 with those that it embeds"},
		impurePlaces: {
			"internal/election/impure.go: takesContext uses context.Context",
			"internal/election/impure.go: takesStore uses " + module + "/store.Store",
			"internal/election/impure.go: takesClock uses " + module + "/internal/clock.Clock",
			"internal/election/impure.go: takesChannel uses a channel",
			"internal/election/impure.go: readsClock reads a clock: time.Now",
			"internal/election/impure.go: chance leaves something to chance: math/rand/v2.Int",
			"internal/election/impure.go: starts starts a goroutine",
			"internal/election/impure.go: a declaration uses " + module + "/store.Store",
			"internal/election/impure.go: readsOurs uses " + module + "/internal/clock.Clock",
			"internal/election/impure.go: readsOurs reads a clock: (" + module + "/internal/clock.Clock).Now",
		},
		rootFiles:   {"a.go", "b.go", "c.go"},
		longCode:    {"other/long.go: 400"},
		longTests:   {"internal/election/long_test.go: 401"},
		spreadRules: {"S1: a.go, b.go"},
		words:       {"docs/a.md:1: Whoever", "docs/a.md:1: will not do", "docs/a.md:2: ErrOld says", "internal/election/impure.go:22: has them // wait"},
		longNames:   {"internal/election/long_test.go: Test" + strings.Repeat("a", 61) + ": 61"},
	}
	for _, f := range figures {
		if !slices.Equal(f.which, want[f.what]) {
			t.Errorf("%s:\n  %s\nwant\n  %s", f.what, strings.Join(f.which, "\n  "), strings.Join(want[f.what], "\n  "))
		}
		if f.is != len(f.which) {
			t.Errorf("%s: %d", f.what, f.is)
		}
	}
	if len(figures) != len(want) || len(limits) != len(want) {
		t.Errorf("%d figures, %d limits, want %d", len(figures), len(limits), len(want))
	}
}
