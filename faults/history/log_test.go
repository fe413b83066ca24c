package history_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/seed-a1d591d3/leadership/faults/history"
)

// lines returns lines of all sorts, with words that need care.
func lines(n int) []history.Line {
	rng := rand.New(rand.NewPCG(1, 2))
	words := []string{"", "-", "--", "a b", "a+b", "100%", "\n", "Term", "ä", "a-b", " "}
	var all []history.Line
	for range n {
		l := history.Line{Kind: history.Ask, What: words[rng.IntN(len(words))], Answer: words[rng.IntN(len(words))], Token: rng.Uint64()}
		l.Before = history.Stamp(rng.Int64N(1 << 60))
		l.After = l.Before + history.Stamp(rng.Int64N(1000))
		all = append(all, l)
	}
	return all
}

// written writes a log and returns its path.
func written(t *testing.T, p history.Process, lines []history.Line) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.log")
	w, err := history.Create(path, p)
	if err != nil {
		t.Fatal(err)
	}
	w.Add(lines...)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLogIsReadAsItWasWritten(t *testing.T) {
	p := history.Process{Role: history.Worker, Key: "a/b", Node: "n 1", Incarnation: 3, TTL: 1e9, Rate: 1.1}
	want := lines(1000)
	path := written(t, p, want)
	logs, err := history.ReadDir(filepath.Dir(path))
	if err != nil || len(logs) != 1 {
		t.Fatalf("%d logs, %v", len(logs), err)
	}
	p.Format, p.PID = history.Format, os.Getpid()
	if logs[0].Process != p || logs[0].Path != path {
		t.Errorf("read %+v of %s, want %+v of %s", logs[0].Process, logs[0].Path, p, path)
	}
	if !reflect.DeepEqual(logs[0].Lines, want) {
		t.Error("other lines are read than were written")
	}
}

func TestLineThatWasCutShortIsLeftOut(t *testing.T) {
	want := lines(3)
	path := written(t, history.Process{Role: history.Worker}, want)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(text) {
		if err := os.WriteFile(path, text[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		logs, err := history.ReadDir(filepath.Dir(path))
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		for _, log := range logs {
			if n := len(log.Lines); n > 0 && !reflect.DeepEqual(log.Lines, want[:n]) {
				t.Fatalf("cut at %d: %v is read", cut, log.Lines)
			}
		}
	}
}

func TestMalformedLogNamesItsLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "",
		"{}\n":                                   `history: the log has format 0, not 1`,
		"ask 1 2\n":                              `history: line 1 tells of no process: invalid character 'a' looking for beginning of value`,
		header + "a\n":                           `line 2: history: "a" has not the six words of a line`,
		header + "ask 1 2 a b 3 \n":              `line 2: history: "ask 1 2 a b 3 " has not the six words of a line`,
		header + "ask 1 2 a b 3\nask 1 2 a  3\n": `line 3: history: "ask 1 2 a  3" has not the six words of a line`,
		header + "ask 2 1 a b 3\n":               `line 2: history: a line begins at 2 and ends before that, at 1`,
		header + "ask x 1 a b 3\n":               `line 2: history: strconv.ParseInt: parsing "x": invalid syntax`,
		header + "ask 1 1 %zz b 3\n":             `line 2: history: invalid URL escape "%zz"`,
		header + "ask 1 1 a b -3\nask 1 1 a b 3\n": `line 2: history: strconv.ParseUint: parsing "-3": invalid syntax`,
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "a.log")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		logs, err := history.ReadDir(dir)
		switch {
		case want == "" && (err != nil || len(logs) != 0):
			t.Errorf("%q: %v, %v", text, logs, err)
		case want != "" && (err == nil || err.Error() != path+": "+want):
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

const header = `{"format":1}` + "\n"
