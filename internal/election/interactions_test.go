package election

import (
	"bytes"
	"flag"
	"fmt"
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
