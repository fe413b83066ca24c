package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// apart are the packages that the picture leaves out: those of tests, and those that
// only one package, or its neighbours, have.
var apart = regexp.MustCompile(`^(deploy|examples|store/internal|internal/tests)(/|$)|/\w*test$|^internal/(certs|goroutines|house|servers|sim|testreport)$`)

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
