package main

import (
	"bytes"
	"context"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A block of Go in README.md or docs is a file, if it begins with a package clause, or declarations,
// or else the body of a function that returns an error. It may begin with imports. It may use the packages
// of known, by their last name; and what the comments of its document that begin with
// "<!-- given" declare, in Go, above it. What is declared and not used is no error in it.
//
// One that begins with ```go run is run, too, with what is given. It has to print "start" and,
// as the last thing, "stop", by what it is given, and nothing in it may be unused. One that begins with
// ```go unchecked is left out: it is of a module that is not to be had.

// known are the packages that a snippet need not import.
var known = []string{
	"context", "errors", "fmt", "log", "log/slog", "net/http", "os", "time", module, module + "/store", module + "/store/memory",
	module + "/store/faultstore", module + "/fence", module + "/leadproxy", module + "/leadcron", module + "/httpapi",
}

// snippet is a block of Go in a document.
type snippet struct {
	place   string            // file and line
	imports map[string]string // paths by name
	given   string            // declarations
	code    string
	runs    bool
}

var (
	fenced    = regexp.MustCompile("(?ms)^<!-- given\n(.*?)^-->$|^```go( run| unchecked)?\n(.*?)^```$")
	importing = regexp.MustCompile(`(?ms)\A\s*import (?:\(.*?^\)|[^\n(]*)\n`)
)

// snippets returns those of a document.
func snippets(t *testing.T, file string) []snippet {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []snippet
	given, imports := "", make(map[string]string)
	for _, p := range known {
		imports[path.Base(p)] = p
	}
	for _, m := range fenced.FindAllSubmatchIndex(text, -1) {
		line := 1 + bytes.Count(text[:m[0]], []byte("\n"))
		place := fmt.Sprintf("%s:%d", filepath.Base(file), line)
		if m[2] >= 0 {
			given += cutImports(t, place, string(text[m[2]:m[3]]), imports)
			continue
		}
		s := snippet{place: place, imports: maps.Clone(imports), given: given, code: string(text[m[6]:m[7]])}
		if m[4] >= 0 {
			s.runs = string(text[m[4]:m[5]]) == " run"
			if !s.runs {
				t.Logf("%s is not checked", place)
				continue
			}
		}
		whole := s.code
		if !s.isFile() {
			s.code = cutImports(t, place, s.code, s.imports)
		}
		line += 1 + strings.Count(whole[:len(whole)-len(s.code)], "\n")
		s.code = fmt.Sprintf("//line %s:%d\n%s", filepath.Base(file), line, s.code)
		all = append(all, s)
	}
	return all
}

// cutImports cuts the imports off that code begins with, and adds them to imports.
func cutImports(t *testing.T, place, code string, imports map[string]string) string {
	t.Helper()
	for cut := importing.FindString(code); cut != ""; cut = importing.FindString(code) {
		f, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+cut, parser.ImportsOnly)
		if err != nil {
			t.Fatalf("%s: %v", place, err)
		}
		for _, spec := range f.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			name := path.Base(p)
			if regexp.MustCompile(`^v\d+$`).MatchString(name) {
				name = strings.TrimPrefix(path.Base(path.Dir(p)), "go-")
			}
			if spec.Name != nil && spec.Name.Name != "_" {
				name = spec.Name.Name
			} else if spec.Name != nil {
				name = "_ " + p
			}
			imports[name] = p
		}
		code = code[len(cut):]
	}
	return code
}

func (s *snippet) isFile() bool {
	return regexp.MustCompile(`(?m)\A(//line .*\n)?package `).MatchString(s.code)
}

// file returns the snippet as a file, with all imports.
func (s *snippet) file() string {
	if s.isFile() {
		return s.code
	}
	head := "package main\n" + s.importing(func(string) bool { return true }) + s.given
	if _, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+s.code, parser.SkipObjectResolution); err == nil {
		return head + s.code
	}
	return head + s.function("snippet")
}

// importing returns the imports of those names that are used.
func (s *snippet) importing(used func(name string) bool) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.imports)) {
		if used(name) {
			fmt.Fprintf(&b, "import %s %q\n", strings.Fields(name)[0], s.imports[name])
		}
	}
	return b.String()
}

func (s *snippet) function(name string) string {
	return fmt.Sprintf("func %s() error {\n%s\nreturn nil }\n", name, s.code)
}

// documents are those whose snippets are checked.
func documents(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	return append(files, "../../README.md")
}

func TestSnippetsOfDocumentsCompile(t *testing.T) {
	var all []snippet
	paths := make(map[string]bool)
	for _, file := range documents(t) {
		for _, s := range snippets(t, file) {
			all = append(all, s)
			f, err := parser.ParseFile(token.NewFileSet(), "", s.file(), parser.ImportsOnly)
			if err != nil {
				t.Errorf("%s: %v", s.place, err)
				continue
			}
			for _, spec := range f.Imports {
				p, _ := strconv.Unquote(spec.Path.Value)
				paths[p] = true
			}
		}
	}
	packages, err := list(t.Context(), "../..", append([]string{"-export", "-deps"}, slices.Sorted(maps.Keys(paths))...)...)
	if err != nil {
		t.Fatal(err)
	}
	exports := make(map[string]string)
	for _, p := range packages {
		exports[p.ImportPath] = p.Export
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	for _, s := range all {
		f, err := parser.ParseFile(fset, s.place, s.file(), parser.SkipObjectResolution)
		if err != nil {
			t.Errorf("%s: %v", s.place, err)
			continue
		}
		conf := types.Config{Importer: imports, Error: func(err error) {
			if e, ok := err.(types.Error); !ok || !e.Soft { //nolint:errorlint // That is how the checker returns it.
				t.Error(err)
			}
		}}
		_, _ = conf.Check("main", fset, []*ast.File{f}, nil)
	}
	t.Logf("%d snippets", len(all))
	if len(all) < 16 {
		t.Error("where are the others?")
	}
}

func TestSnippetsThatAreToRunLeadAndStop(t *testing.T) {
	if testing.Short() {
		t.Skip("links a program")
	}
	ran := 0
	for _, file := range documents(t) {
		var functions, table strings.Builder
		var last snippet
		n := 0
		for _, s := range snippets(t, file) {
			if s.runs {
				fmt.Fprintf(&functions, "%s", s.function(fmt.Sprint("snippet", n)))
				fmt.Fprintf(&table, "snippet%d,", n)
				last = s
				n++
			}
		}
		if n == 0 {
			continue
		}
		code := last.given + functions.String()
		last.imports["strconv"], last.imports["os"] = "strconv", "os"
		code += "func main() { n, _ := strconv.Atoi(os.Args[1]); if err := []func() error{" + table.String() + "}[n](); err != nil { panic(err) } }\n"
		code = "package main\n" + last.importing(func(name string) bool { return regexp.MustCompile(`\b` + name + `\.`).MatchString(code) }) + code
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(dir, "main"), filepath.Join(dir, "main.go"))
		build.Dir = "../.." // for the workspace
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", file, err, out)
		}
		for i := range n {
			out, err := exec.CommandContext(ctx, filepath.Join(dir, "main"), strconv.Itoa(i)).CombinedOutput()
			lines := strings.Fields(string(out))
			if err != nil || !slices.Contains(lines, "start") || lines[len(lines)-1] != "stop" {
				t.Errorf("%s: block %d that is to run: %v, printed:\n%s", file, i+1, err, out)
			}
			ran++
		}
	}
	if t.Logf("%d snippets ran", ran); ran == 0 {
		t.Error("there is none")
	}
}
