//go:build !linux

package servers

import "testing"

// Disk is a small disk, of its own, which may be full.
type Disk struct{ Dir string }

// NewDisk ends t: a small disk is made on Linux only.
func NewDisk(t testing.TB, _ int) *Disk {
	t.Helper()
	t.Fatal("a small disk is made on Linux only")
	return nil
}

// Fill leaves no room on the disk.
func (d *Disk) Fill() {}

// Free gives the room back.
func (d *Disk) Free() {}
