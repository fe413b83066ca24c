package servers

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// attributes has a process lead a group of its own, so that it can be
// signalled as a whole and an interrupt from the terminal does not reach it,
// and has it killed when the test binary dies, however that dies.
func attributes(a *syscall.SysProcAttr) *syscall.SysProcAttr {
	if a == nil {
		a = &syscall.SysProcAttr{}
	}
	a.Setpgid = true
	a.Pdeathsig = syscall.SIGKILL
	return a
}

// descendants returns the ids of the children of pid, and of theirs.
func descendants(pid int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	children := make(map[int][]int)
	for _, e := range entries {
		if child, err := strconv.Atoi(e.Name()); err == nil {
			if _, parent, ok := status(child); ok {
				children[parent] = append(children[parent], child)
			}
		}
	}
	all := children[pid]
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// halted reports whether no thread of pid runs.
func halted(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, thread := range threads {
		if state, _, ok := stat(thread); ok && !strings.ContainsRune("TtZX", rune(state)) {
			return false
		}
	}
	return true
}

// running reports whether pid is there and more than a corpse.
func running(pid int) bool {
	state, _, ok := status(pid)
	return ok && state != 'Z'
}

// status returns the state and the parent of a process.
func status(pid int) (state byte, parent int, ok bool) {
	return stat(fmt.Sprintf("/proc/%d/stat", pid))
}

// stat reads the file of that name of a process or thread.
func stat(file string) (state byte, parent int, ok bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, 0, false
	}
	// "pid (name) state parent ...", and the name may hold anything.
	_, err = fmt.Sscanf(string(text[bytes.LastIndexByte(text, ')')+1:]), " %c %d", &state, &parent)
	return state, parent, err == nil
}
