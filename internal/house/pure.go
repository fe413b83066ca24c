package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// clocks are the functions of package time that read a clock or wait for one.
var clocks = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// impure returns where the package uses a context, a store, a clock, chance, a channel or
// a goroutine, once for each function and kind.
func (p *pkg) impure() []string {
	var found []string
	for _, f := range p.files {
		within := "package"
		add := func(pos token.Pos, what string) {
			if line := fmt.Sprintf("%s/%s: %s %s", p.name, p.file(pos), within, what); !slices.Contains(found, line) {
				found = append(found, line)
			}
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				within = d.Name.Name
			case *ast.GenDecl:
				within = "a declaration"
			}
			ast.Inspect(d, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt:
					add(n.Pos(), "starts a goroutine")
				case *ast.Ident:
					fn, ok := p.info.Uses[n].(*types.Func)
					switch {
					case !ok || fn.Pkg() == nil:
					case readsClock(fn):
						add(n.Pos(), "reads a clock: "+fn.FullName())
					case strings.HasPrefix(fn.Pkg().Path(), "math/rand") || fn.Pkg().Path() == "crypto/rand":
						add(n.Pos(), "leaves something to chance: "+fn.FullName())
					}
				}
				if e, ok := n.(ast.Expr); ok {
					if what := hands(p.info.TypeOf(e)); what != "" {
						add(e.Pos(), "uses "+what)
					}
				}
				return true
			})
		}
	}
	return found
}

// readsClock reports whether fn is a function of package time, or a method of package
// clock, that reads a clock.
func readsClock(fn *types.Func) bool {
	if !slices.Contains(clocks, fn.Name()) {
		return false
	}
	method := fn.Signature().Recv() != nil
	return fn.Pkg().Path() == "time" && !method || fn.Pkg().Path() == module+"/internal/clock" && method && fn.Name() != "Since"
}

// hands returns what a value of type t lets a function do that a pure one may not.
func hands(t types.Type) string {
	if t == nil {
		return ""
	}
	if _, ok := t.Underlying().(*types.Chan); ok {
		return "a channel"
	}
	if named, ok := types.Unalias(t).(*types.Named); ok && named.Obj().Pkg() != nil {
		switch full := named.Obj().Pkg().Path() + "." + named.Obj().Name(); full {
		case "context.Context", module + "/store.Store", module + "/internal/clock.Clock":
			return full
		}
	}
	return ""
}
