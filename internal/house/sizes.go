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
	words []string            // the places where oldWords are used
	root  []string            // code files of the root package
	code  map[string]int      // lines of each code file
	tests map[string]int      // lines of each test file
	names map[string]int      // letters of each test's name, behind 'Test'
	rules map[string][]string // files in which sabotages break a safety rule
}

// measure reads all Go files below root.
func measure(root string) (sizes, error) {
	s := sizes{code: make(map[string]int), tests: make(map[string]int), names: make(map[string]int), rules: make(map[string][]string)}
	return s, fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir() || !slices.Contains(texts, filepath.Ext(path)):
			return nil
		}
		src, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return err
		}
		if !strings.HasPrefix(path, "internal/house/") {
			s.words = append(s.words, uses(path, src)...)
		}
		if filepath.Ext(path) != ".go" || strings.Contains(path, "testdata/") {
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

// texts are the kinds of files in which words are looked for; "" is that of a Makefile.
var texts = []string{".go", ".md", ".txt", ".sh", ".py", ".yaml", ".yml", ".html", ".js", ".css", ".service", ""}

// oldWords are those that plain English, or the field, has others for: in names, comments,
// messages and documents. A blank in it stands for a line break in a comment, too.
var oldWords = regexp.MustCompile(`(?i)\b(` + strings.ReplaceAll(strings.Join([]string{
	"says? whether|whoever|whomever|will not do|be it|lately|for at most which",
	`(?-i:[eE]rr[A-Z]\w*) says|is what \w+ panics`,                                                                        // means that; the value
	`(has|have|having) (them|it|all|others|everybody|the \w+) (be|come|look|make|take|wait|go|end|stop|renew|begin|tell)`, // makes
	`heed\w*|tenures?|mandates?|culprits?|pursuits?|nudge\w*|sightings?|unlisted|tally|tallies|appoint(s|ed)?|guardians?|wardens?`,
}, "|"), " ", `[\s/#*]+`) + `)\b`)

// uses returns where a text uses old words.
func uses(path string, text []byte) []string {
	var all []string
	for _, at := range oldWords.FindAllIndex(text, -1) {
		line := 1 + bytes.Count(text[:at[0]], []byte("\n"))
		all = append(all, fmt.Sprintf("%s:%d: %s", path, line, bytes.Join(bytes.Fields(text[at[0]:at[1]]), []byte(" "))))
	}
	return all
}

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
