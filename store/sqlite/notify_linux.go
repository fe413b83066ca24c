package sqlite

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

// notify returns a channel that holds a token after a write to the file, or to the files
// that SQLite keeps beside it, until stop is called. A write is noticed before the end of
// its transaction, which waits for the disk. The channel is nil if the kernel cannot
// notify.
func notify(file string) (writes <-chan struct{}, stop func()) {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		return nil, func() {} // the user has as many as are allowed
	}
	events := os.NewFile(uintptr(fd), "inotify")
	// The folder, because the log may be deleted and created again.
	folder, name := filepath.Split(file)
	if _, err := syscall.InotifyAddWatch(fd, folder, syscall.IN_MODIFY); err != nil {
		events.Close()
		return nil, func() {}
	}
	told, ended := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(ended)
		buffer := make([]byte, 16<<10)
		for {
			n, err := events.Read(buffer)
			if err != nil {
				return // closed
			}
			if mentions(buffer[:n], name) {
				base.Wake(told)
			}
		}
	}()
	return told, func() { events.Close(); <-ended }
}

// mentions reports whether events include one of a file whose name begins with name, or
// some were lost. Each event is four numbers of 32 bits, the last of which is the length
// of the name that follows, padded with NULs.
func mentions(events []byte, name string) bool {
	for len(events) >= syscall.SizeofInotifyEvent {
		mask := binary.NativeEndian.Uint32(events[4:])
		end := syscall.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(events[12:]))
		if mask&syscall.IN_Q_OVERFLOW != 0 || strings.HasPrefix(string(events[syscall.SizeofInotifyEvent:end]), name) {
			return true
		}
		events = events[end:]
	}
	return false
}
