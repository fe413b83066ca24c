// Package reread reads files again when they have changed, such as certificates
// and tokens that are renewed while a program runs.
package reread

import (
	"bytes"
	"os"
	"slices"
	"sync"
	"time"
)

// Files are files, and what a program makes of them. Make one with New. Its
// methods are safe for concurrent use.
type Files[T any] struct {
	names []string
	parse func(contents [][]byte) (T, error)

	mu    sync.Mutex
	seen  []os.FileInfo // of the files that value is made of; nil before the first
	kept  [][]byte      // what was in them
	young bool          // one was written so shortly before that another write may show no other time
	value T
}

// New returns Files that have not been read. parse is called with the contents of
// the files in the order of their names, and may be called again with the same.
// Names that are empty are left out.
func New[T any](parse func(contents [][]byte) (T, error), names ...string) *Files[T] {
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "" })
	return &Files[T]{names: names, parse: parse}
}

// Get returns what the files hold now. It reads them at the first call and when
// one of them has changed: its size, time or identity; and again and again for as
// long as the time would not tell. A pipe, or what else is no
// regular file, holds nothing for a second time, and is not opened again. Where they cannot be read
// or parsed, such as a certificate whose new key is not there yet, it returns the
// value of the last time they could, or the zero value, and the error; the next
// call tries again.
func (f *Files[T]) Get() (T, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	// Before they are read: what changes meanwhile is found by the next call.
	now, err := stat(f.names)
	if err == nil && (f.seen == nil || f.young || !slices.EqualFunc(now, f.seen, same)) {
		err = f.read(now)
	}
	return f.value, err
}

// coarse is by how much the time of a file may be wrong, as some file systems and
// servers keep it.
const coarse = 2 * time.Second

func (f *Files[T]) read(now []os.FileInfo) error {
	contents := make([][]byte, len(f.names))
	young := slices.ContainsFunc(now, func(file os.FileInfo) bool {
		return file.Mode().IsRegular() && time.Since(file.ModTime()) < coarse
	})
	for i, name := range f.names {
		if f.seen != nil && once(now[i], f.seen[i]) {
			contents[i] = f.kept[i]
			continue
		}
		var err error
		if contents[i], err = os.ReadFile(name); err != nil {
			return err
		}
	}
	if f.seen != nil && slices.EqualFunc(contents, f.kept, bytes.Equal) {
		f.seen, f.young = now, young
		return nil
	}
	value, err := f.parse(contents)
	if err != nil {
		return err
	}
	f.seen, f.kept, f.young, f.value = now, contents, young, value
	return nil
}

func stat(names []string) ([]os.FileInfo, error) {
	infos := make([]os.FileInfo, len(names))
	for i, name := range names {
		var err error
		if infos[i], err = os.Stat(name); err != nil {
			return nil, err
		}
	}
	return infos, nil
}

func same(a, b os.FileInfo) bool {
	return once(a, b) || a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}

// once reports whether they are the same pipe, or the like.
func once(a, b os.FileInfo) bool { return !a.Mode().IsRegular() && os.SameFile(a, b) }
