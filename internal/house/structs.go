package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/types"
	"slices"
	"strings"
)

// fields is the size of a struct.
type fields struct {
	name string // with the package's
	own  int    // without embedded ones
	all  int    // with the fields of embedded structs
}

func (f fields) String() string {
	return fmt.Sprintf("%s: %d fields, %d with those that it embeds", f.name, f.own, f.all)
}

// largest names the first of structs.
func largest(structs []fields) string {
	if len(structs) == 0 {
		return "none"
	}
	return structs[0].String()
}

// structs returns the size of every struct that the package declares, the largest first.
func (p *pkg) structs() []fields {
	var found []fields
	for _, f := range p.files {
		name := ""
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				name = n.Name.Name
			case *ast.StructType:
				s, ok := p.info.TypeOf(n).(*types.Struct)
				if !ok {
					break
				}
				if name == "" {
					name = p.file(n.Pos())
				}
				own := 0
				for f := range s.Fields() {
					if !f.Embedded() {
						own++
					}
				}
				found = append(found, fields{p.types.Name() + "." + name, own, countFields(s)})
				name = ""
			case *ast.FuncDecl:
				name = n.Name.Name
			}
			return true
		})
	}
	slices.SortStableFunc(found, func(a, b fields) int { return cmp.Compare(b.all, a.all) })
	return found
}

// countFields counts an embedded struct of the module as the fields that it has, and any
// other as one.
func countFields(s *types.Struct) int {
	n := 0
	for f := range s.Fields() {
		t := f.Type()
		if ptr, ok := t.(*types.Pointer); ok {
			t = ptr.Elem()
		}
		named, _ := types.Unalias(t).(*types.Named)
		inner, ok := t.Underlying().(*types.Struct)
		if f.Embedded() && ok && named != nil && named.Obj().Pkg() != nil && strings.HasPrefix(named.Obj().Pkg().Path(), module) {
			n += countFields(inner)
		} else {
			n++
		}
	}
	return n
}
