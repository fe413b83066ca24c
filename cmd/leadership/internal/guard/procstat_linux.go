package guard

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// Fields of a process as in proc_pid_stat(5), counted from the one after the name of
// the program.
const (
	statParent  = 4 - 3
	statStarted = 22 - 3
)

// Started returns when a process was started, in clock ticks since the machine was; or
// an empty string if there is no such process.
func Started(pid int) string { return procStat(fmt.Sprintf("/proc/%d/stat", pid), statStarted) }

// procStat returns a field of a process from its file /proc/PID/stat, or an empty
// string.
func procStat(file string, field int) string {
	content, _ := os.ReadFile(file) // the process may have ended
	// The name of the program, in parentheses, may have spaces in it.
	fields := strings.Fields(string(content[bytes.LastIndexByte(content, ')')+1:]))
	if len(fields) <= field {
		return ""
	}
	return fields[field]
}
