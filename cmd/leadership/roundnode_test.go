//go:build linux

package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestRoundTellsWhoOneIsAndWhoHasWon(t *testing.T) {
	url := sqliteURL(t)
	run := func(environ []string, line string) (int, string) {
		t.Helper()
		var out bytes.Buffer
		code := execute(t.Context(), append(strings.Fields(line), "--store", url), nil, &out, &out, environ)
		return code, out.String()
	}
	named := []string{"LEADERSHIP_NODE=n"}
	for _, c := range []struct {
		environ    []string
		line       string
		code       int
		want, lack string
	}{
		{nil, "round complete s r", exitNo, "not elected: you are \"", "name yourself"},
		{nil, "round complete s r", exitNo, "nobody has won", "winner"},
		{named, "round elect s r", 0, "won", ""},
		{nil, "round complete s r", exitNo, `, the winner is "n"; name yourself by --node or LEADERSHIP_NODE`, ""},
		{nil, "round fail s r --node m", exitNo, `you are "m", the winner is "n"`, "name yourself"},
		{nil, "round complete s r --json", exitNo, `"winner":"n"`, ""},
		{nil, "round elect s r --node m", exitNo, "lost", "winner"},
		{nil, "round elect s r --node m --verbose", exitNo, `you are "m", the winner is "n"`, ""},
		{[]string{"LEADERSHIP_NODE=m"}, "round complete s r", exitNo, `you are "m", the winner is "n"`, "name yourself"},
		{nil, "round await s r --timeout 20ms", exitNo, "round r of s is not completed after 20ms: n has won it ", "deadline"},
		{named, "round fail s r --result broken", 0, "", ""},
		{nil, "round await s r --timeout 20ms", exitNo, `ago: "broken"`, "deadline"},
		{named, "round complete s r", 0, "", ""},
	} {
		if code, out := run(c.environ, c.line); code != c.code || !strings.Contains(out, c.want) || c.lack != "" && strings.Contains(out, c.lack) {
			t.Errorf("%v %s: exit code %d: %s; want %d, %q, without %q", c.environ, c.line, code, out, c.code, c.want, c.lack)
		}
	}
}

func TestCommandOfARoundKnowsItsAttempt(t *testing.T) {
	t.Parallel()
	j, url := newJournal(t), sqliteURL(t)
	script := `echo "$LEADERSHIP_SYSTEM $LEADERSHIP_ROUND $LEADERSHIP_ATTEMPT $LEADERSHIP_NODE" >>"$0"; exit "$1"`
	for _, code := range []string{"3", "0"} {
		p := startWith(t, []string{"LEADERSHIP_NODE=outer", "LEADERSHIP_ATTEMPT=77"}, "round", "run", "backup", "r", "--store", url, "--attempt-ttl", "2s",
			"--wait", "--", "sh", "-c", script, j.path, code)
		if got := p.wait(); got != int(code[0]-'0') {
			t.Errorf("exit code %d", got)
		}
	}
	for i, attempt := range []string{"backup r 1 ", "backup r 2 "} {
		if lines := j.lines(); len(lines) != 2 || !strings.HasPrefix(lines[i], attempt) || strings.Contains(lines[i], "outer") {
			t.Errorf("got %q", lines)
		}
	}
}
