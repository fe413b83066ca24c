//go:build linux

package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/cli.md")

// TestDocsShowTheCommandsAsTheyAre holds docs/cli.md to the commands.
func TestDocsShowTheCommandsAsTheyAre(t *testing.T) {
	const file = "../../docs/cli.md"
	text, err := markdown(newRoot(strings.NewReader(""), io.Discard, io.Discard, nil))
	if err != nil {
		t.Fatal(err)
	}
	text = append([]byte("# The command line\n\nWritten by `go test ./cmd/leadership -run TestDocs -update`, from what `--help` prints.\n\n"), bytes.TrimSpace(text)...)
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile(file, text, 0o644); err != nil { //nolint:gosec // For everybody.
			t.Fatal(err)
		}
	}
	there, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(there, text) {
		t.Errorf("docs/cli.md is out of date (%v): go test ./cmd/leadership -run TestDocs -update", err)
	}
}

func TestManPagesAreWrittenForAllCommands(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "man1")
	if code, out, errs := inProcess(t, "man", folder); code != 0 || out+errs != "" {
		t.Fatalf("exit code %d: %s%s", code, out, errs)
	}
	for page, want := range map[string]string{
		"leadership.1":             "leadership-run(1)",
		"leadership-run.1":         "LEADERSHIP\\_TOKEN",
		"leadership-round-elect.1": "LEADERSHIP\\_NODE",
		"leadership-follow.1":      "--prefix",
	} {
		text, err := os.ReadFile(filepath.Join(folder, page))
		if err != nil || !strings.Contains(string(text), strings.ReplaceAll(want, "\\_", "_")) && !strings.Contains(string(text), want) {
			t.Errorf("%s, %v: no %s in\n%s", page, err, want, text)
		}
	}
	if pages, _ := filepath.Glob(filepath.Join(folder, "*guard*")); len(pages) > 0 {
		t.Errorf("what is hidden has a page: %v", pages)
	}
	if code, _, errs := inProcess(t, "man"); code != exitUsage || !strings.Contains(errs, "name one folder") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}
