package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-a1d591d3/leadership/internal/invariants"
)

// declared returns the functions and methods, those of interfaces too, that a folder's Go
// files declare, without tests.
func declared(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no Go files: %v", dir, err)
	}
	known := make(map[string]bool)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				known[receiver(d)+d.Name.Name] = true
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					typ, ok := spec.(*ast.TypeSpec)
					if !ok {
						continue
					}
					if of, ok := typ.Type.(*ast.InterfaceType); ok {
						for _, m := range of.Methods.List {
							for _, name := range m.Names {
								known[typ.Name.Name+"."+name.Name] = true
							}
						}
					}
				}
			}
		}
	}
	return known
}

// receiver returns the type that a function is a method of, and a dot.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	name := ""
	ast.Inspect(f.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name
		}
		return name == ""
	})
	return name + "."
}

func TestActionsNameFunctionsThatExist(t *testing.T) {
	known := make(map[string]map[string]bool)
	for _, name := range names {
		m, err := newModel(name, read(name))
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range m.actions {
			if len(a.code) == 0 && a.says != "" {
				t.Errorf("%s: %q names no function", name, a.name)
			}
			for _, code := range a.code {
				last := strings.LastIndex(code, "/") + 1
				pkg, function, _ := strings.Cut(code[last:], ".")
				dir := filepath.Join("..", code[:last]+pkg)
				if pkg == "leadership" {
					dir = ".."
				}
				if known[dir] == nil {
					known[dir] = declared(t, dir)
				}
				if !known[dir][function] {
					t.Errorf("%s: %q stands for %s, which there is not", name, a.name, code)
				}
			}
		}
	}
}

// covered are the rules of sabotages that the models cover.
var covered = []string{"compare-and-swap", "S1", "S2", "S5", "S7", "S8", "S11", "terms", "tokens", "priority", "claims", "register", "rounds", "attempts"}

// sabotages returns the names of those that the tests of a folder have, each with its
// rule.
func sabotages(t *testing.T, dir string) (found []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*sabotage_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok || len(lit.Elts) != 5 {
				return true
			}
			rule, how, file := text(lit.Elts[0]), text(lit.Elts[1]), text(lit.Elts[2])
			if id, ok := lit.Elts[0].(*ast.Ident); ok && id.Name == "inRounds" {
				rule = "rounds"
			}
			if strings.HasSuffix(file, ".go") && slices.Contains(covered, rule) {
				found = append(found, rule+" "+how)
			}
			return true
		})
	}
	return found
}

func text(e ast.Expr) string {
	if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
		s, _ := strconv.Unquote(lit.Value)
		return s
	}
	return ""
}

func TestRulesAreBrokenHereAsTheyAreInTheCode(t *testing.T) {
	found := append(sabotages(t, "../internal/sim"), sabotages(t, "../internal/election")...)
	if len(found) < 20 {
		t.Errorf("only %d sabotages were found", len(found))
	}
	var here []string
	for _, b := range brokens {
		if name := b.rule + " " + b.how; b.rule != "" {
			here = append(here, name)
			if !slices.Contains(found, name) {
				t.Errorf("no test of the code has the sabotage %q", name)
			}
		}
	}
	for _, name := range found {
		if !slices.Contains(here, name) && outside[name] == "" {
			t.Errorf("no model has the sabotage %q, and outside does not tell why", name)
		}
	}
	for name := range outside {
		if !slices.Contains(found, name) || slices.Contains(here, name) {
			t.Errorf("%q is outside for no reason", name)
		}
	}
}

func TestReadmeHasEveryInvariantLawAndAction(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		m, err := newModel(name, read(name))
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range m.rows() {
			if !strings.Contains(string(readme), row) {
				t.Errorf("README.md lacks, of %s:\n%s", name, row)
			}
		}
	}
}

// rows are what README.md has to tell of a model.
func (m *model) rows() (rows []string) {
	for _, l := range m.lemmas {
		rows = append(rows, l.name)
	}
	for _, n := range append(slices.Clone(m.laws), m.invariants...) {
		rows = append(rows, n.name)
	}
	for _, a := range m.actions {
		if a.says != "" {
			code := make([]string, len(a.code))
			for i, c := range a.code {
				code[i] = "`" + strings.TrimPrefix(c[strings.LastIndex(c, "/")+1:], "leadership.") + "`"
			}
			rows = append(rows, "| "+a.name+" | "+a.rule+" | "+strings.Join(code, ", ")+" |")
		}
	}
	return rows
}

func TestSimulationsAreHeldToTheSameInvariants(t *testing.T) {
	held(t, "election", invariants.All)
	held(t, "lost", invariants.AfterLoss)
	held(t, "round", invariants.Rounds)
}

// held holds a list of what simulations are held to together with a model.
func held[S any](t *testing.T, name string, list []invariants.Invariant[S]) {
	t.Helper()
	m, err := newModel(name, read(name))
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		if !slices.ContainsFunc(m.invariants, func(n named) bool { return n.name == i.Name }) {
			t.Errorf("%s.model has no invariant %q", name, i.Name)
		}
	}
	for _, n := range m.invariants {
		seen := slices.ContainsFunc(list, func(i invariants.Invariant[S]) bool { return i.Name == n.name })
		if name != "lost" && seen == (invariants.Unseen[n.name] != "") { // of that those alone that it does not share with elections
			t.Errorf("simulations are to be held to %q, or Unseen is to tell why not", n.name)
		}
	}
}
