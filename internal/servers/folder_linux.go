package servers

import (
	"os"
	"path/filepath"
	"syscall"
	"time"
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

// claim locks a server's folder for as long as the file that it returns is
// open: until the test binary ends, however that happens.
func claim(folder string) (*os.File, error) {
	f, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// sweep removes the folders of test binaries that were killed.
func sweep() {
	base := baseFolder()
	if base == "" {
		base = os.TempDir()
	}
	folders, _ := filepath.Glob(filepath.Join(base, "leadership-*"))
	for _, folder := range folders {
		info, err := os.Stat(folder)
		if err != nil || time.Since(info.ModTime()) < time.Minute {
			continue // it may be about to be claimed
		}
		if f, err := claim(folder); err == nil {
			os.RemoveAll(folder)
			f.Close()
		}
	}
}
