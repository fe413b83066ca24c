package guard

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// inbox is the pipe by which a guard gets its orders. It is read without waiting.
type inbox struct {
	C    <-chan struct{} // there may be something to read
	fd   int
	file *os.File
	part []byte // of an order that has not come whole
}

// openInbox opens the pipe that the supervisor has left to this process.
func openInbox(fd int) (*inbox, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil || stat.Mode&unix.S_IFMT != unix.S_IFIFO {
		return nil, ErrNoSupervisor
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	file := os.NewFile(uintptr(fd), "orders")
	conn, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	more := make(chan struct{}, 1)
	go func() {
		_ = conn.Read(func(uintptr) bool {
			select {
			case more <- struct{}{}:
			default:
			}
			return false // wait for more, until it is closed
		})
	}()
	return &inbox{C: more, fd: fd, file: file}, nil
}

// read returns all orders that have come since the last call. It does not block. It
// returns false when no more will come; the last order is to stop, then.
func (b *inbox) read() (orders []order, open bool) {
	chunk := make([]byte, 4096)
	for {
		n, err := unix.Read(b.fd, chunk)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return orders, true
		case err != nil || n == 0:
			return append(orders, order{Stop: true}), false
		}
		b.part = append(b.part, chunk[:n]...)
		for {
			line, rest, whole := bytes.Cut(b.part, []byte("\n"))
			if !whole {
				break
			}
			var o order
			if json.Unmarshal(line, &o) != nil {
				return append(orders, order{Stop: true}), false
			}
			orders, b.part = append(orders, o), rest
		}
	}
}

func (b *inbox) close() { _ = b.file.Close() }
