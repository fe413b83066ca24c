package election

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the interactions of testdata as they are now")

// interact carries out the commands of an interaction: the lines that begin with "> ". It
// returns the interaction with what happened, indented, below each command. Lines of
// another kind stay as they are; what happened before is left out.
func interact(w *world, text string) (string, error) {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \n")
		if strings.HasPrefix(line, "  ") {
			continue
		}
		fmt.Fprintln(&b, line)
		input, ok := strings.CutPrefix(line, "> ")
		if !ok {
			continue
		}
		happened, err := w.do(input)
		if err != nil {
			return "", err
		}
		for _, h := range happened {
			fmt.Fprintln(&b, "  "+h)
		}
	}
	return b.String(), nil
}

func TestInteractions(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			w := newWorld()
			got, err := interact(w, string(want))
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range w.violations {
				t.Error(v)
			}
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if !bytes.Equal(want, []byte(got)) {
				t.Errorf("it is otherwise; run go test ./internal/election -rewrite and review the change. Now:\n%s", got)
			}
		})
	}
}

func TestInteractionsShowEveryKindOfStepAndEvent(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d interactions, want 40 or more: %v", len(files), err)
	}
	covered := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld()
		if _, err := interact(w, string(text)); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		maps.Copy(covered, w.covered)
	}
	for _, what := range everything() {
		if !covered[what] {
			t.Errorf("no interaction shows %s", what)
		}
	}
}

// everything is what has to occur in some interaction.
func everything() []string {
	var all []string
	for d := Wait; d <= Finish; d++ {
		all = append(all, coverDo(d))
	}
	for _, op := range []string{"claim", "renew", "vacate", "enlist"} {
		all = append(all, coverOp(op))
	}
	for k := Began; k <= Condemned; k++ {
		all = append(all, coverEvent(k))
	}
	for why := LostTo; why <= BySchedule; why++ {
		all = append(all, coverCause(why))
	}
	for v := MustWait; v <= CannotFollow; v++ {
		all = append(all, coverVerdict(v))
	}
	return all
}
