package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// module is the path of the root package, and what the paths of all others begin with.
const module = "github.com/seed-a1d591d3/leadership"

// core names the packages that elections and rounds are made of. Those that do not exist
// are left out.
var core = []string{
	"", "internal/election", "internal/round", "internal/register", "internal/lease", "internal/relay", "internal/loop",
	"internal/clock", "internal/format", "internal/indexes", "internal/lru", "internal/schedule", "internal/storeerr", "internal/watches",
}

// pure names those of the core that have neither goroutines, clock, chance, store, context
// nor channels.
var pure = []string{"internal/election", "internal/round"}

// pkg is a package, checked from its source without tests.
type pkg struct {
	name  string // its path below the module, "" for the root
	fset  *token.FileSet
	files []*ast.File
	types *types.Package
	info  *types.Info
}

// listed is what `go list` tells of a package.
type listed struct {
	ImportPath, Name, Dir, Export  string
	GoFiles, XTestGoFiles, Imports []string
}

// list returns what `go list` tells, run in the folder dir.
func list(ctx context.Context, dir string, args ...string) ([]listed, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-json=ImportPath,Name,Dir,Export,GoFiles,XTestGoFiles,Imports"}, args...)...)
	var failed bytes.Buffer
	cmd.Dir, cmd.Stderr = dir, &failed
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, &failed)
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		switch err := d.Decode(&l); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("go list: %w", err)
		}
		all = append(all, l)
	}
}

// load checks the packages of names that exist in the repository at root. What they
// import comes from the compiler's export data.
func load(ctx context.Context, root string, names []string) ([]pkg, error) {
	args := []string{"-export", "-deps"}
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(root, name)); err == nil {
			args = append(args, "./"+name)
		}
	}
	all, err := list(ctx, root, args...)
	if err != nil {
		return nil, err
	}
	byPath := make(map[string]listed)
	for _, l := range all {
		byPath[l.ImportPath] = l
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(byPath[path].Export)
	})
	var checked []pkg
	for _, name := range names {
		l, ok := byPath[strings.TrimSuffix(module+"/"+name, "/")]
		if !ok || len(l.GoFiles) == 0 {
			continue
		}
		p := pkg{name: name, fset: fset, info: &types.Info{
			Types: make(map[ast.Expr]types.TypeAndValue), Uses: make(map[*ast.Ident]types.Object),
			Defs: make(map[*ast.Ident]types.Object), Selections: make(map[*ast.SelectorExpr]*types.Selection),
		}}
		for _, file := range l.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(l.Dir, file), nil, parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			p.files = append(p.files, f)
		}
		conf := types.Config{Importer: imports}
		if p.types, err = conf.Check(l.ImportPath, fset, p.files, p.info); err != nil {
			return nil, err
		}
		checked = append(checked, p)
	}
	return checked, nil
}

// file returns the name of the file that pos is in.
func (p *pkg) file(pos token.Pos) string { return filepath.Base(p.fset.Position(pos).Filename) }

// lines returns how many lines the package's code has, without tests.
func (p *pkg) lines() int {
	n := 0
	for _, f := range p.files {
		n += p.fset.File(f.Pos()).LineCount() - 1
	}
	return n
}
