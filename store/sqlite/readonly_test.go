//go:build unix

package sqlite_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestOpenNamesWhatMayNotBeWritten runs Open as a user other than root.
func TestOpenNamesWhatMayNotBeWritten(t *testing.T) {
	folder, err := os.MkdirTemp("", "leadership-sqlite-") //nolint:usetesting // others have to enter it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	path := filepath.Join(folder, "election.db")
	openURL(t, path).Close()
	for _, test := range []struct {
		what         string
		file, folder os.FileMode
		path         string
		want         string
	}{
		{"file", 0o444, 0o777, path, "readonly"},
		{"folder of the file", 0o666, 0o555, path, "readonly"},
		{"folder of a new file", 0o666, 0o555, filepath.Join(folder, "new.db"), "unable to open"},
		{"file that may not be read", 0, 0o777, path, "unable to open"},
	} {
		t.Run(test.what, func(t *testing.T) {
			if err := os.Chmod(path, test.file); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(folder, test.folder); err != nil {
				t.Fatal(err)
			}
			said := openAsNobody(t, urlOf(test.path))
			if !strings.Contains(said, test.want) || !strings.Contains(said, test.path) {
				t.Errorf("Open: %s; want it to name %s and say %s", said, test.path, test.want)
			}
		})
	}
}

// openAsNobody returns what Open says to somebody who is not root.
func openAsNobody(t *testing.T, url string) string {
	t.Helper()
	binary, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "leadership-sqlite-") //nolint:usetesting // others have to enter it
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	program := filepath.Join(folder, "test")
	if err := os.WriteFile(program, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	c := childOf(program, "open", url, 0)
	c.cmd.Dir = "/"
	if os.Getuid() == 0 {
		c.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	c.start(t)
	return <-c.said
}
