package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// inbox is where a guard finds its orders: a pipe that it reads without waiting.
type inbox struct {
	C    <-chan struct{} // there may be something to read
	fd   int
	file *os.File
	part []byte // of an order that has not come whole
}

// openInbox opens the pipe that its parent has left to this process.
func openInbox(fd int) (*inbox, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil || stat.Mode&unix.S_IFMT != unix.S_IFIFO {
		return nil, usage("guard is started by leadership run, not by hand")
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

// read returns all orders that have come since. It does not block. It is false
// where there will be no more, and what came last says so, too: to stop.
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
