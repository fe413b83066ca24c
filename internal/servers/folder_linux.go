package servers

import (
	"os"
	"syscall"
)

// baseFolder returns where servers keep their data, empty for the usual place
// for temporary files. Memory is better than a disk, if there is plenty: a
// server waits for the disk at every write, and while others keep that busy it
// stalls for longer than a test's TTL. Nothing is lost by it: what a server
// wrote before it was killed is there in either.
func baseFolder() string {
	const folder, plenty = "/dev/shm", 2 << 30
	if os.Getenv("TMPDIR") != "" {
		return "" // somebody has chosen
	}
	var stat syscall.Statfs_t
	if err := syscall.Statfs(folder, &stat); err != nil || stat.Bavail*uint64(stat.Bsize) < plenty {
		return ""
	}
	return folder
}
