package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// A store may refuse a write without an error. No caller may take that for success:
// each looks at the first result. A store of its own hands it on, to a caller that looks.
func TestEveryWriteLooksAtWhetherItHappened(t *testing.T) {
	calls := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "test/") {
			return err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		n, bad := writes(file)
		calls += n
		for _, pos := range bad {
			t.Errorf("%s: it is not looked at whether a write has happened", fset.Position(pos))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if calls < 3 {
		t.Errorf("only %d writes were found", calls)
	}
}

// writes returns how many calls of writes of a store there are in a file whose first
// result gets a name, and where the methods are used in any other way, but for stores that
// hand all results on by a method of the same name.
func writes(file *ast.File) (calls int, bad []token.Pos) {
	allowed := make(map[*ast.SelectorExpr]bool)
	allow := func(e ast.Expr) bool {
		if call, ok := e.(*ast.CallExpr); ok {
			if f, ok := call.Fun.(*ast.SelectorExpr); ok && isWrite(f.Sel.Name) {
				allowed[f] = true
				return true
			}
		}
		return false
	}
	for _, d := range file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		handsOn := ok && fn.Recv != nil && isWrite(fn.Name.Name)
		ast.Inspect(d, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if len(n.Rhs) != 1 {
					break
				}
				if first, ok := n.Lhs[0].(*ast.Ident); (!ok || first.Name != "_") && allow(n.Rhs[0]) {
					calls++
				}
			case *ast.ReturnStmt:
				if handsOn && len(n.Results) == 1 {
					allow(n.Results[0])
				}
			case *ast.SelectorExpr: // which comes after what it is in
				if isWrite(n.Sel.Name) && !allowed[n] {
					bad = append(bad, n.Pos())
				}
			}
			return true
		})
	}
	return calls, bad
}

func isWrite(name string) bool { return name == "AtomicPut" || name == "AtomicDelete" }

func TestWriteThatIsNotLookedAtIsFound(t *testing.T) {
	for text, want := range map[string]int{
		`func (s *own) AtomicPut() (bool, *pair, error) { return s.kv.AtomicPut() }`: 0,
		`func f() { ok, pair, err := kv.AtomicPut(); use(ok, pair, err) }`:           0,
		`func f() { s.ok, _, s.err = kv.AtomicPut() }`:                               0,
		`func f() { _, pair, err := kv.AtomicPut(); use(pair, err) }`:                1,
		`func f() { kv.AtomicDelete() }`:                                             1,
		`func f() { go kv.AtomicDelete() }`:                                          1,
		`func f() { defer kv.AtomicDelete() }`:                                       1,
		`func f() { use(kv.AtomicPut()) }`:                                           1,
		`func f() { put := kv.AtomicPut; use(put) }`:                                 1,
		`func f() (bool, *pair, error) { return kv.AtomicPut() }`:                    1,
		`func f() { use(func() (bool, error) { return kv.AtomicDelete() }) }`:        1,
		`var _, _, _ = kv.AtomicPut()`:                                               1,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if _, bad := writes(file); len(bad) != want {
			t.Errorf("%s: %d are found, want %d", text, len(bad), want)
		}
	}
}
