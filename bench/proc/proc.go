// Package proc reads what a process has used, from the kernel's own books: /proc of Linux.
package proc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc, which is the same on all of Linux' platforms that Go has.
const tick = 10 * time.Millisecond

// CPU returns the processor time that a process has used.
func CPU(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in brackets, may hold anything. The state is field 3, utime 14, stime 15.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: %q", pid, text)
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick, err
}

// Resident returns how many bytes of memory a process holds, and how many of them are its own,
// without what it has of files, such as that of its program.
func Resident(pid int) (all, own int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		var n *int64
		switch name {
		case "VmRSS":
			n = &all
		case "RssAnon":
			n = &own
		default:
			continue
		}
		kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return 0, 0, err
		}
		*n = kilobytes << 10
	}
	if all == 0 || own == 0 {
		return 0, 0, fmt.Errorf("/proc/%d/status has no VmRSS or RssAnon", pid)
	}
	return all, own, nil
}

// Connections returns how many TCP connections of a process the kernel's table of sockets
// has as established.
func Connections(pid int) (int, error) {
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return 0, err
	}
	mine := make(map[string]bool)
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil {
			if inode, ok := strings.CutPrefix(to, "socket:["); ok {
				mine[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	n := 0
	for _, table := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil && table == "tcp" {
			return 0, err
		}
		for line := range strings.Lines(string(text)) {
			// The state is the fourth field, 01 for established, and the inode the tenth.
			if fields := strings.Fields(line); len(fields) > 9 && fields[3] == "01" && mine[fields[9]] {
				n++
			}
		}
	}
	return n, nil
}

// Load returns the machine's load over the last minute, in processes that run or want to.
func Load() (float64, error) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), " ")
	return strconv.ParseFloat(first, 64)
}

// Machine returns what the machine is: its processors, their number and its kernel.
func Machine(processors int) string {
	model := "processors of unknown make"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%d × %s, Linux %s", processors, model, strings.TrimSpace(string(release)))
}
