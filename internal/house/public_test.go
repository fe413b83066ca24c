package main

import (
	"bytes"
	"cmp"
	"flag"
	"go/ast"
	"go/doc"
	"go/format"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/api.txt anew")

// public returns the packages of all modules that others may import.
func public(t *testing.T) []listed {
	t.Helper()
	all, err := list(t.Context(), "../..", module+"/...")
	if err != nil {
		t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(l listed) bool {
		inside := strings.TrimPrefix(l.ImportPath, module)
		return l.Name == "main" || len(l.GoFiles) == 0 || strings.Contains(inside+"/", "/internal/") ||
			slices.ContainsFunc([]string{"/bench/", "/faults/", "/proof/", "/examples/", "/cmd/"}, func(s string) bool { return strings.HasPrefix(inside+"/", s) })
	})
	slices.SortFunc(all, func(a, b listed) int { return cmp.Compare(a.ImportPath, b.ImportPath) })
	return all
}

// parse returns the syntax of files in the folder dir.
func parse(t *testing.T, fset *token.FileSet, dir string, files []string) []*ast.File {
	t.Helper()
	var all []*ast.File
	for _, file := range files {
		f, err := parser.ParseFile(fset, filepath.Join(dir, file), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

// lacking returns the exported types and constructors of a package that have no example of
// that name. An example of a method is one of its type; an option needs none of its own.
func lacking(t *testing.T, l listed) []string {
	t.Helper()
	fset := token.NewFileSet()
	p, err := doc.NewFromFiles(fset, parse(t, fset, l.Dir, slices.Concat(l.GoFiles, l.XTestGoFiles)), l.ImportPath)
	if err != nil {
		t.Fatal(err)
	}
	name := func(of string) string { return strings.TrimPrefix(l.ImportPath, module+"/") + ": " + of }
	var missing []string
	need := func(f *doc.Func) {
		if len(f.Examples) == 0 {
			missing = append(missing, name(f.Name))
		}
	}
	for _, f := range p.Funcs {
		if strings.HasPrefix(f.Name, "New") {
			need(f)
		}
	}
	for _, typ := range p.Types {
		if len(typ.Examples) == 0 && !slices.ContainsFunc(typ.Methods, func(f *doc.Func) bool { return len(f.Examples) > 0 }) {
			missing = append(missing, name(typ.Name))
		}
		if !strings.HasSuffix(typ.Name, "Option") {
			for _, f := range typ.Funcs {
				need(f)
			}
		}
	}
	return missing
}

func TestTypesAndConstructorsHaveExamples(t *testing.T) {
	for _, l := range public(t) {
		if missing := lacking(t, l); len(missing) > 0 {
			t.Errorf("no example of\n  %s", strings.Join(missing, "\n  "))
		}
	}
}

func TestExamplesFitOnAScreen(t *testing.T) {
	const screen = 45 // lines
	for _, l := range public(t) {
		fset := token.NewFileSet()
		for _, f := range parse(t, fset, l.Dir, l.XTestGoFiles) {
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || !strings.HasPrefix(fn.Name.Name, "Example") {
					continue
				}
				from, to := fset.Position(fn.Pos()), fset.Position(fn.End())
				if n := to.Line - from.Line + 1; n > screen {
					t.Errorf("%s: %s has %d lines, more than the %d of a screen", from, fn.Name.Name, n, screen)
				}
			}
		}
	}
}

func TestMissingExamplesAreFound(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.go": "package a\n\ntype T struct{}\n\nfunc NewT() *T { return nil }\n\ntype U int\n\nfunc (U) M() {}\n\nfunc Us() U { return 0 }\n\n" +
			"type AnOption func()\n\nfunc With() AnOption { return nil }\n\nfunc NewV() int { return 0 }\n\ntype hidden int\n",
		"a_test.go": "package a_test\n\nfunc ExampleU_M() {}\n\nfunc ExampleT() {}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := lacking(t, listed{ImportPath: module + "/a", Dir: dir, GoFiles: []string{"a.go"}, XTestGoFiles: []string{"a_test.go"}})
	if want := []string{"a: NewV", "a: AnOption", "a: NewT", "a: Us"}; !slices.Equal(got, want) {
		t.Errorf("no example of %q, want %q", got, want)
	}
}

// declared returns the exported declarations of a package, sorted, without comments and
// bodies.
func declared(t *testing.T, l listed) string {
	t.Helper()
	fset := token.NewFileSet()
	var all []string
	for _, f := range parse(t, fset, l.Dir, l.GoFiles) {
		ast.FileExports(f)
		for _, d := range f.Decls {
			one := []ast.Decl{d}
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv != nil && !ast.IsExported(strings.TrimPrefix(types.ExprString(d.Recv.List[0].Type), "*")) {
					continue
				}
				d.Doc, d.Body = nil, nil
			case *ast.GenDecl:
				d.Doc = nil
				if d.Tok == token.IMPORT {
					continue
				}
				if d.Tok != token.CONST { // where the values may follow from each other
					one = nil
					for _, s := range d.Specs {
						one = append(one, &ast.GenDecl{Tok: d.Tok, Specs: []ast.Spec{s}})
					}
				}
			}
			for _, d := range one {
				var text bytes.Buffer
				ast.Inspect(d, uncomment)
				if err := format.Node(&text, token.NewFileSet(), d); err != nil {
					t.Fatal(err)
				}
				all = append(all, strings.TrimSpace(text.String()))
			}
		}
	}
	slices.Sort(all)
	return "package " + strings.TrimPrefix(l.ImportPath, module+"/") + "\n\n" + strings.Join(all, "\n") + "\n\n"
}

func uncomment(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.StructType:
		n.Incomplete = false
	case *ast.InterfaceType:
		n.Incomplete = false
	case *ast.Field:
		n.Doc, n.Comment = nil, nil
	case *ast.ValueSpec:
		n.Doc, n.Comment = nil, nil
	case *ast.TypeSpec:
		n.Doc, n.Comment = nil, nil
	}
	return true
}

// Whoever changes what others may use sees it in the difference of one file.
func TestExportedNamesAreThoseOfTheList(t *testing.T) {
	const golden = "testdata/api.txt"
	var is strings.Builder
	for _, l := range public(t) {
		is.WriteString(declared(t, l))
	}
	if *update {
		if err := os.WriteFile(golden, []byte(is.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	gone, added := difference(strings.Split(string(want), "\n"), strings.Split(is.String(), "\n"))
	if len(gone)+len(added) > 0 {
		t.Errorf("what is exported has changed; note it in CHANGELOG, and run go test ./internal/house -update\n- %s\n+ %s",
			strings.Join(gone, "\n- "), strings.Join(added, "\n+ "))
	} else if is.String() != string(want) {
		t.Error("what is exported has moved: run go test ./internal/house -update")
	}
}

// difference returns the lines that only one of two texts has.
func difference(a, b []string) (onlyA, onlyB []string) {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) }),
		slices.DeleteFunc(slices.Clone(b), func(s string) bool { return slices.Contains(a, s) })
}
