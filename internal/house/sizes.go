package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// sizes tells of the files of the repository, those of all modules.
type sizes struct {
	words map[string]int      // uses of oldWords in each text
	root  []string            // code files of the root package
	code  map[string]int      // lines of each code file
	tests map[string]int      // lines of each test file
	names map[string]int      // letters of each test's name, behind 'Test'
	rules map[string][]string // files in which sabotages break a safety rule
}

// measure reads all Go files below root.
func measure(root string) (sizes, error) {
	s := sizes{words: make(map[string]int), code: make(map[string]int), tests: make(map[string]int), names: make(map[string]int), rules: make(map[string][]string)}
	return s, fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !slices.Contains(texts, filepath.Ext(path)):
			return nil
		}
		src, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return err
		}
		if !strings.HasPrefix(path, "internal/house/") {
			s.words[path] = len(oldWords.FindAll(src, -1))
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		lines := bytes.Count(src, []byte("\n"))
		if !strings.HasSuffix(path, "_test.go") {
			s.code[path] = lines
			if !strings.Contains(path, "/") {
				s.root = append(s.root, path)
			}
			return nil
		}
		s.tests[path] = lines
		f, err := parser.ParseFile(token.NewFileSet(), path, src, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				if rest, ok := strings.CutPrefix(fn.Name.Name, "Test"); ok {
					s.names[path+": "+fn.Name.Name] = utf8.RuneCountInString(rest)
				}
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if c, ok := n.(*ast.CompositeLit); ok && len(c.Elts) > 2 {
				rule, file := literal(c.Elts[0]), literal(c.Elts[2])
				if isRule.MatchString(rule) && strings.HasSuffix(file, ".go") && !slices.Contains(s.rules[rule], file) {
					s.rules[rule] = append(s.rules[rule], file)
				}
			}
			return true
		})
		return nil
	})
}

// texts are the kinds of files in which words are looked for.
var texts = []string{".go", ".md", ".sh", ".py", ".yaml", ".yml", ".html", ".js"}

// oldWords are those that plain English, or the field, has others for.
var oldWords = regexp.MustCompile(`(?i)\b(says? whether|whoever|will not do|has them wait|heed\w*|tenure|mandate|culprit|pursuit|nudge\w*)\b`)

// isRule matches the first element of a sabotage, whose third is the file that it breaks.
var isRule = regexp.MustCompile(`^S\d+$`)

func literal(e ast.Expr) string {
	if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
		s, _ := strconv.Unquote(lit.Value)
		return s
	}
	return ""
}

// spread returns the rules that are broken in more than one file.
func (s sizes) spread() figure {
	f := figure{what: spreadRules}
	for rule, files := range s.rules {
		if len(files) > 1 {
			slices.Sort(files)
			f.is++
			f.which = append(f.which, rule+": "+strings.Join(files, ", "))
		}
	}
	slices.Sort(f.which)
	return f
}

// total returns how much sizes are in all.
func total(what string, sizes map[string]int) figure {
	f := above(what, sizes, 0)
	f.is = 0
	for _, n := range sizes {
		f.is += n
	}
	return f
}

// above returns how many of sizes are larger than limit.
func above(what string, sizes map[string]int, limit int) figure {
	f := figure{what: what}
	for name, n := range sizes {
		if n > limit {
			f.is++
			f.which = append(f.which, fmt.Sprintf("%s: %d", name, n))
		}
	}
	slices.Sort(f.which)
	return f
}
