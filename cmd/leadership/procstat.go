package main

import (
	"bytes"
	"os"
	"strings"
)

// The fields of a process that are asked for: those of proc_pid_stat(5), counted
// from the one after the name of the program.
const (
	statParent  = 4 - 3
	statStarted = 22 - 3
)

// procStat returns a field of a process from its file /proc/PID/stat, or "" where
// there is none.
func procStat(file string, field int) string {
	content, _ := os.ReadFile(file) // the process may have ended
	// The name of the program, in parentheses, may have spaces in it.
	fields := strings.Fields(string(content[bytes.LastIndexByte(content, ')')+1:]))
	if len(fields) <= field {
		return ""
	}
	return fields[field]
}
