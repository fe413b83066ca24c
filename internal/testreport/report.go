package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// module is what the names of packages are shown without.
const module = "github.com/seed-a1d591d3/leadership/"

// suites are the tests that each of stores has to pass.
var (
	suites = []string{"TestConformance", "TestElections"}
	stores = []string{
		"store/memory", "store/faultstore", "store/sqlite", "store/postgres", "store/etcd", "store/consul", "store/zookeeper", "store/redis",
		"internal/tests/kvtools etcd", "internal/tests/kvtools consul", "internal/tests/kvtools zookeeper", "internal/tests/kvtools redis",
	}
)

// event is a line of `go test -json`; see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// id names a test.
type id struct{ pkg, test string }

// report is what was read.
type report struct {
	results map[id]string // of tests: pass, fail, skip, or excused
	reasons map[id]string // of skips: what they said last
	failed  int           // packages and tests
	broken  bool          // a go test that has failed, for whatever reason
	passed  int           // packages
}

// read reads events and prints to out what cannot wait.
func read(in io.Reader, out io.Writer) (*report, error) {
	r := &report{results: make(map[id]string), reasons: make(map[id]string)}
	said := make(map[id][]string)
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil {
				fmt.Fprint(out, line) // go's own, such as a pattern that matches nothing
			} else {
				r.take(e, said, out)
			}
		}
		if err == io.EOF {
			return r, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (r *report) take(e event, said map[id][]string, out io.Writer) {
	which := id{e.Package, e.Test}
	if e.Action == "fail" && e.Package == "" {
		r.broken = true // says who ran it
		return
	}
	switch e.Action {
	case "output":
		if e.Test != "" {
			said[which] = append(said[which], e.Output)
		} else if e.Output != "PASS\n" && !strings.Contains(e.Output, "[no test files]") {
			fmt.Fprint(out, e.Output)
		}
	case "build-output":
		fmt.Fprint(out, e.Output)
	case "build-fail":
		r.failed++
	case "pass", "fail", "skip":
		if e.Action == "fail" {
			r.failed++
			for _, line := range said[which] {
				fmt.Fprint(out, line)
			}
		}
		if e.Action == "fail" && e.Test == "" {
			r.failed += interrupted(e.Package, said, out)
		}
		if e.Test == "" {
			if e.Action == "pass" {
				r.passed++
			}
			return
		}
		r.results[which] = e.Action
		if e.Action == "pass" && slices.ContainsFunc(said[which], isExcuse) {
			r.results[which] = "excused"
		}
		if e.Action == "skip" {
			r.reasons[which] = reason(said[which])
		}
		delete(said, which)
	}
}

// interrupted prints what the tests said that were running when their package
// failed: by a timeout, a panic or an exit, which is the fault of one of them. It
// returns how many they are.
func interrupted(pkg string, said map[id][]string, out io.Writer) int {
	var tests []string
	for which := range said {
		if which.pkg == pkg {
			tests = append(tests, which.test)
		}
	}
	slices.Sort(tests)
	for _, test := range tests {
		fmt.Fprintf(out, "%s did not end:\n", test)
		for _, line := range said[id{pkg, test}] {
			fmt.Fprint(out, line)
		}
	}
	return len(tests)
}

// isExcuse reports whether a line is what storetest says of a check that failed and
// need not pass.
func isExcuse(line string) bool { return strings.Contains(line, ": excused: ") }

// reason returns what a skipped test said before the line that it is skipped.
func reason(said []string) string {
	for _, line := range slices.Backward(said) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "--- ") && !strings.HasPrefix(line, "=== ") {
			return line
		}
	}
	return "no reason given"
}

// summarize prints the suites and the skips, and reports whether all is well.
func (r *report) summarize(out io.Writer, strict bool) bool {
	ok := r.failed == 0 && !r.broken && r.passed > 0
	fmt.Fprintf(out, "\n%-32s%16s%16s\n", "tests passed on", "conformance", "elections")
	for _, store := range stores {
		fmt.Fprintf(out, "%-32s", store)
		for _, suite := range suites {
			n := r.suite(store, suite)
			if n == 0 && strict {
				ok = false
			}
			fmt.Fprintf(out, "%16s", count(n))
		}
		fmt.Fprintln(out)
	}
	for _, skip := range slices.SortedFunc(maps.Keys(r.reasons), func(a, b id) int {
		return strings.Compare(a.pkg+" "+a.test, b.pkg+" "+b.test)
	}) {
		ok = ok && !strict
		fmt.Fprintf(out, "skipped: %s %s: %s\n", strings.TrimPrefix(skip.pkg, module), skip.test, r.reasons[skip])
	}
	fmt.Fprintf(out, "%d tests passed, %d were excused, %d were skipped, %d tests and packages failed\n",
		r.count("pass"), r.count("excused"), len(r.reasons), r.failed)
	if r.broken && r.failed == 0 {
		fmt.Fprintln(out, "go test has failed, and no test says why")
	}
	return ok
}

func count(n int) string {
	if n == 0 {
		return "none"
	}
	return fmt.Sprint(n)
}

func (r *report) count(result string) int {
	n := 0
	for _, is := range r.results {
		if is == result {
			n++
		}
	}
	return n
}

// suite counts the tests of a suite that passed on a store: those that have no
// tests beneath them.
func (r *report) suite(store, suite string) int {
	pkg, adapter, ofAdapter := strings.Cut(store, " ")
	root := suite
	if ofAdapter {
		root += "/" + adapter
	}
	var passed []string
	for which, result := range r.results {
		if result == "pass" && which.pkg == module+pkg && (which.test == root || strings.HasPrefix(which.test, root+"/")) {
			passed = append(passed, which.test)
		}
	}
	slices.Sort(passed)
	n := 0
	for i, test := range passed {
		// Sorting puts a test's own first test right behind it, but for names
		// that go on with what sorts before a slash.
		if !slices.ContainsFunc(passed[i+1:], func(other string) bool { return strings.HasPrefix(other, test+"/") }) {
			n++
		}
	}
	return n
}
