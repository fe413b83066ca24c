package main

import (
	"strings"
	"testing"
)

// run reads lines and returns what is told of them.
func run(t *testing.T, strict bool, lines ...string) (told string, ok bool) {
	t.Helper()
	var out strings.Builder
	r, err := read(strings.NewReader(strings.Join(lines, "\n")), &out)
	if err != nil {
		t.Fatal(err)
	}
	ok = r.summarize(&out, strict)
	return out.String(), ok
}

// all is a run in which each suite passes on each store.
func all() []string {
	var lines []string
	for _, store := range stores {
		pkg, adapter, _ := strings.Cut(store, " ")
		for _, suite := range suites {
			test := strings.TrimSuffix(suite+"/"+adapter, "/")
			for _, name := range []string{test + "/One", test + "/Two/A", test + "/Two/B", test + "/Two", test} {
				lines = append(lines, `{"Action":"pass","Package":"`+module+pkg+`","Test":"`+name+`"}`)
			}
		}
		lines = append(lines,
			`{"Action":"output","Package":"`+module+pkg+`","Output":"ok  \t`+pkg+`\t1s\n"}`,
			`{"Action":"pass","Package":"`+module+pkg+`"}`)
	}
	return lines
}

func want(t *testing.T, told string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(told, part) {
			t.Errorf("want it to tell %q; it tells:\n%s", part, told)
		}
	}
}

func TestSuitesAreListed(t *testing.T) {
	told, ok := run(t, true, all()...)
	if !ok {
		t.Error("it is not content")
	}
	want(t, told, "ok  \tstore/etcd\t1s", "store/etcd                                     3               3\n", "120 tests passed, 0 were excused, 0 were skipped, 0 tests and packages failed")
}

func TestSuiteThatDidNotRunFails(t *testing.T) {
	var lines []string
	for _, line := range all() {
		if !strings.Contains(line, "kvtools") || !strings.Contains(line, "TestElections/redis") {
			lines = append(lines, line)
		}
	}
	told, ok := run(t, true, lines...)
	if ok {
		t.Error("it is content")
	}
	want(t, told, "internal/tests/kvtools redis                   3            none\n")
	if _, ok := run(t, false, lines...); !ok {
		t.Error("it is not content although it need not be strict")
	}
}

func TestGoTestThatFailedWithoutAFailedTestFails(t *testing.T) {
	told, ok := run(t, true, append(all(), `{"Action":"fail"}`)...)
	if ok {
		t.Error("it is content")
	}
	want(t, told, "no test says why")
}

func TestExcusedTestIsNotCountedAsPassed(t *testing.T) {
	lines := append(all(),
		`{"Action":"output","Package":"`+module+`internal/tests/kvtools","Test":"TestConformance/etcd/Three","Output":"    x.go:1: excused: known: it is wrong\n"}`,
		`{"Action":"pass","Package":"`+module+`internal/tests/kvtools","Test":"TestConformance/etcd/Three"}`)
	told, ok := run(t, true, lines...)
	if !ok {
		t.Error("it is not content")
	}
	want(t, told, "internal/tests/kvtools etcd                    3               3\n", "120 tests passed, 1 were excused")
}

func TestSkippedTestFails(t *testing.T) {
	lines := append(all(),
		`{"Action":"output","Package":"`+module+`store/x","Test":"TestX","Output":"    x_test.go:1: no server\n"}`,
		`{"Action":"output","Package":"`+module+`store/x","Test":"TestX","Output":"--- SKIP: TestX (0.00s)\n"}`,
		`{"Action":"skip","Package":"`+module+`store/x","Test":"TestX"}`)
	told, ok := run(t, true, lines...)
	if ok {
		t.Error("it is content")
	}
	want(t, told, "skipped: store/x TestX: x_test.go:1: no server\n", "1 were skipped")
	if _, ok := run(t, false, lines...); !ok {
		t.Error("it is not content although it need not be strict")
	}
}

func TestFailureIsToldWhole(t *testing.T) {
	told, ok := run(t, false, append(all(),
		`{"Action":"output","Package":"p","Test":"TestA","Output":"said by A\n"}`,
		`{"Action":"output","Package":"p","Test":"TestB","Output":"said by B\n"}`,
		`{"Action":"fail","Package":"p","Test":"TestA"}`,
		`{"Action":"pass","Package":"p","Test":"TestB"}`,
		`{"Action":"fail","Package":"p"}`)...)
	if ok {
		t.Error("it is content")
	}
	want(t, told, "said by A\n", "2 tests and packages failed")
	if strings.Contains(told, "said by B") {
		t.Error("it tells what a test said that passed")
	}
}

func TestTestThatDidNotEndIsToldWhole(t *testing.T) {
	told, ok := run(t, false, append(all(),
		`{"Action":"output","Package":"p","Test":"TestA","Output":"panic: test timed out\n"}`,
		`{"Action":"output","Package":"p","Output":"FAIL\tp\t1s\n"}`,
		`{"Action":"fail","Package":"p"}`)...)
	if ok {
		t.Error("it is content")
	}
	want(t, told, "TestA did not end:\npanic: test timed out\n", "2 tests and packages failed")
}

func TestBuildThatFailsIsTold(t *testing.T) {
	told, ok := run(t, false, append(all(),
		`{"ImportPath":"p","Action":"build-output","Output":"p.go:1: undefined: x\n"}`,
		`{"ImportPath":"p","Action":"build-fail"}`)...)
	if ok {
		t.Error("it is content")
	}
	want(t, told, "undefined: x")
}

func TestNoTestAtAllFails(t *testing.T) {
	told, ok := run(t, false, "go: no such pattern")
	if ok {
		t.Error("it is content")
	}
	want(t, told, "go: no such pattern")
}
