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
// each looks at the first result, or hands it on.
func TestEveryWriteLooksAtWhetherItHappened(t *testing.T) {
	calls := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "test/") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		writes := func(e ast.Expr) bool {
			call, ok := e.(*ast.CallExpr)
			if !ok {
				return false
			}
			f, ok := call.Fun.(*ast.SelectorExpr)
			return ok && (f.Sel.Name == "AtomicPut" || f.Sel.Name == "AtomicDelete")
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ExprStmt:
				if writes(n.X) {
					t.Errorf("%s: the results of a write are dropped", path)
				}
			case *ast.AssignStmt:
				if len(n.Rhs) != 1 || !writes(n.Rhs[0]) {
					break
				}
				calls++
				if ok, named := n.Lhs[0].(*ast.Ident); named && ok.Name == "_" {
					t.Errorf("%s: whether a write has happened is not looked at", path)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if calls < 3 {
		t.Errorf("only %d writes were found", calls)
	}
}
