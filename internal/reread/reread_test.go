package reread_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/reread"
)

var errBad = errors.New("bad")

// fixture is two files whose contents have to be equal.
type fixture struct {
	t     *testing.T
	a, b  string
	files *reread.Files[string]
	reads int
}

func newFixture(t *testing.T) *fixture {
	dir := t.TempDir()
	f := &fixture{t: t, a: filepath.Join(dir, "a"), b: filepath.Join(dir, "b")}
	f.files = reread.New(func(contents [][]byte) (string, error) {
		f.reads++
		if string(contents[0]) != string(contents[1]) {
			return "", errBad
		}
		return string(contents[0]), nil
	}, f.a, "", f.b)
	return f
}

func (f *fixture) write(path, content string) {
	f.t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) want(value string, target error) {
	f.t.Helper()
	if got, err := f.files.Get(); got != value || !errors.Is(err, target) {
		f.t.Errorf("Get is %q, %v; want %q, %v", got, err, value, target)
	}
}

func TestFilesAreReadWhenTheyHaveChanged(t *testing.T) {
	f := newFixture(t)
	f.want("", os.ErrNotExist)
	f.write(f.a, "1")
	f.write(f.b, "1")
	f.want("1", nil)
	f.want("1", nil)
	if f.reads != 1 {
		t.Errorf("they were read %d times without a change", f.reads)
	}

	f.write(f.a, "22")
	f.want("1", errBad)
	f.want("1", errBad)
	f.write(f.b, "22")
	f.want("22", nil)

	if err := os.Remove(f.b); err != nil {
		t.Fatal(err)
	}
	f.want("22", os.ErrNotExist)
	f.write(f.b, "22")
	f.want("22", nil)
}

// TestFileThatIsReplacedIsRead: another of the same size and time takes its
// place, as it may by a symbolic link that is moved.
func TestFileThatIsReplacedIsRead(t *testing.T) {
	f := newFixture(t)
	when := time.Now().Add(-time.Hour)
	both := func(content string) {
		for _, path := range []string{f.a, f.b} {
			f.write(path+".new", content)
			if err := os.Chtimes(path+".new", when, when); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		}
	}
	both("1")
	f.want("1", nil)
	both("2")
	f.want("2", nil)
}

func TestNoFilesAreReadOnce(t *testing.T) {
	reads := 0
	files := reread.New(func([][]byte) (int, error) { reads++; return reads, nil }, "")
	for range 3 {
		if got, err := files.Get(); got != 1 || err != nil {
			t.Errorf("Get is %d, %v", got, err)
		}
	}
}

// TestSecondWriteInOneTickIsRead: the clock of a file system may be coarse, and
// tokens are all of one size.
func TestSecondWriteInOneTickIsRead(t *testing.T) {
	f := newFixture(t)
	when := time.Now()
	both := func(content string) {
		for _, path := range []string{f.a, f.b} {
			f.write(path, content)
			if err := os.Chtimes(path, when, when); err != nil {
				t.Fatal(err)
			}
		}
	}
	both("1")
	f.want("1", nil)
	both("2")
	f.want("2", nil)
	f.want("2", nil)
	if f.reads != 2 {
		t.Errorf("they were parsed %d times", f.reads)
	}
}
