//go:build unix

package reread_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/reread"
)

// TestPipeIsReadOnce: to open a named pipe again waits for somebody who writes, and
// all others would wait behind.
func TestPipeIsReadOnce(t *testing.T) {
	dir := t.TempDir()
	pipe, file := filepath.Join(dir, "pipe"), filepath.Join(dir, "file")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	write := func(path, content string) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Error(err)
		}
	}
	files := reread.New(func(contents [][]byte) (string, error) {
		return string(contents[0]) + string(contents[1]), nil
	}, pipe, file)
	write(file, "1")
	go write(pipe, "secret ")
	want := func(value string) {
		t.Helper()
		got := make(chan string, 1)
		go func() {
			value, err := files.Get()
			if err != nil {
				t.Error(err)
			}
			got <- value
		}()
		select {
		case got := <-got:
			if got != value {
				t.Errorf("Get is %q, want %q", got, value)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("Get does not return")
		}
	}
	want("secret 1")
	want("secret 1")
	write(file, "22")
	want("secret 22")
}
