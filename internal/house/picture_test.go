package main

import (
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// apart are the packages that the picture leaves out: those of tests, and those that
// only one package, or its neighbours, have.
var apart = regexp.MustCompile(`^(bench|deploy|examples|proof|faults|store/internal|internal/tests)(/|$)|/\w*test$|^internal/(certs|fuzzing|goroutines|house|invariants|recording|sabotage|standin|servers|sim|testreport)$`)

// TestPictureShowsWhatImportsWhat holds docs/architecture.svg to the code: its arrows
// carry the packages that they lead from and to, its boxes those that share one, and its
// lowest row those that all may import.
func TestPictureShowsWhatImportsWhat(t *testing.T) {
	svg, err := os.ReadFile("../../docs/architecture.svg")
	if err != nil {
		t.Fatal(err)
	}
	drawn, grouped := make(map[arrow]bool), make(map[arrow]bool)
	var above, below []string
	for _, m := range regexp.MustCompile(`data-from="(.*?)" data-to="(.*?)"`).FindAllStringSubmatch(string(svg), -1) {
		for _, from := range strings.Fields(m[1]) {
			for _, to := range strings.Fields(m[2]) {
				drawn[arrow{from, to}] = true
				above = append(above, from, to)
			}
		}
	}
	for _, m := range regexp.MustCompile(`data-below="(.*?)"`).FindAllStringSubmatch(string(svg), -1) {
		below = append(below, strings.Fields(m[1])...)
	}
	for _, m := range regexp.MustCompile(`data-group="(.*?)"`).FindAllStringSubmatch(string(svg), -1) {
		for _, from := range strings.Fields(m[1]) {
			above = append(above, from)
			for _, to := range strings.Fields(m[1]) {
				grouped[arrow{from, to}] = true
			}
		}
	}
	packages, err := list(t.Context(), "../..", module+"/...")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[arrow]bool)
	for _, p := range packages {
		name := inModule(p.ImportPath)
		if apart.MatchString(name) {
			continue
		}
		if !slices.Contains(above, name) && !slices.Contains(below, name) {
			t.Errorf("package %s is not drawn", name)
		}
		for _, imported := range p.Imports {
			to := inModule(imported)
			if !strings.HasPrefix(imported, module) || apart.MatchString(to) {
				continue
			}
			found[arrow{name, to}] = true
			switch a := (arrow{name, to}); {
			case slices.Contains(below, to):
			case slices.Contains(below, name):
				t.Errorf("%s is in the lowest row, and imports %s", name, to)
			case !drawn[a] && !grouped[a]:
				t.Errorf("there is no arrow from %s to %s", name, to)
			}
		}
	}
	for a := range drawn {
		if !found[a] {
			t.Errorf("an arrow leads from %s to %s, which it does not import", a.from, a.to)
		}
	}
}

// inModule returns the path of a package below the module, "." for the root.
func inModule(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

// TestArchitectureNamesWhatThereIs looks for the names and files of docs/architecture.md in
// the code.
func TestArchitectureNamesWhatThereIs(t *testing.T) {
	text, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	packages, err := load(t.Context(), "../..", core)
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, p := range packages {
		for _, f := range p.files {
			known[p.file(f.Pos())] = true
		}
		for _, name := range p.types.Scope().Names() {
			known[name] = true
			if named, ok := p.types.Scope().Lookup(name).Type().(*types.Named); ok {
				for m := range named.Methods() {
					known[m.Name()], known[name+"."+m.Name()] = true, true
				}
			}
		}
	}
	names := regexp.MustCompile("`([A-Z]\\w*(\\.\\w+)?|\\w+\\.go)`").FindAllStringSubmatch(string(text), -1)
	for _, m := range names {
		if !known[m[1]] {
			t.Errorf("there is no %s", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`\]\(([^)#:]+)`).FindAllStringSubmatch(string(text), -1) {
		if _, err := os.Stat(filepath.Join("../../docs", m[1])); err != nil {
			t.Error(err)
		}
	}
	if len(names) < 20 {
		t.Errorf("only %d names were found", len(names))
	}
}
