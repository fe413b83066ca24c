// Package deploy holds what is in deploy/ to what reads it: the parsers of those
// programs, and leadership itself, which is started with the very commands and
// environments of the files.
package deploy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
	"go.uber.org/goleak"
)

const root = "../.."

// program is leadership, as the Dockerfile builds it.
var program string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	folder, err := os.MkdirTemp("", "leadership-deploy-")
	if err == nil {
		// Others than root run what is in it.
		err = os.Chmod(folder, 0o755) //nolint:gosec // It is to be read by all.
	}
	defer os.RemoveAll(folder)
	if err == nil {
		program = filepath.Join(folder, "leadership")
		err = build(filepath.Join(folder, "src"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

// build builds the program from what .dockerignore leaves of the source, in src,
// and as the Dockerfile says.
func build(src string) error {
	if err := copyContext(src); err != nil {
		return fmt.Errorf("copy the context of the build: %w", err)
	}
	for _, args := range [][]string{
		{"work", "edit", "-dropuse=./bench", "-dropuse=./examples", "-dropuse=./faults", "-dropuse=./internal/tests"},
		{"build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w -X main.builtVersion=v1.2.3 -X main.builtRevision=0123abc", "-o", program, "./cmd/leadership"},
	} {
		cmd := exec.Command("go", args...)
		cmd.Dir = src
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w: %s", cmd, err, out)
		}
	}
	return nil
}

func copyContext(to string) error {
	file, err := os.Open(filepath.Join(root, ".dockerignore"))
	if err != nil {
		return err
	}
	defer file.Close()
	patterns, err := ignorefile.ReadAll(file)
	if err != nil {
		return err
	}
	ignored, err := patternmatcher.New(patterns)
	if err != nil {
		return err
	}
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil || name == "." {
			return err
		}
		skip, err := ignored.MatchesOrParentMatches(name)
		switch {
		case err != nil:
			return err
		case skip && entry.IsDir():
			return filepath.SkipDir
		case skip:
			return nil
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o755) //nolint:gosec // As a container has it.
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // of another program, and gone again
		}
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil { //nolint:gosec // As a container has it.
			return err
		}
		return os.WriteFile(target, content, 0o644) //nolint:gosec // As a container has it.
	})
}
