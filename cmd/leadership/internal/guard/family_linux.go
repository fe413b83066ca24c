package guard

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// adopt makes this process the parent of all its descendants whose own parents
// have ended. When it has no child left, none of them is left, not even those that have
// left their process group.
func adopt() error {
	return os.NewSyscallError("prctl", unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
}

// Supported returns why commands cannot be run here, or nil.
func Supported() error {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		return fmt.Errorf("commands cannot be run without /proc, which tells what they have started: %w", err)
	}
	return nil
}

// children returns the children of this process. Those that appear meanwhile may
// be missing.
func children() []int {
	files, _ := filepath.Glob("/proc/self/task/*/children") // one for each thread
	if len(files) == 0 {
		return childrenAmongAll() // the kernel was built without these
	}
	var pids []int
	for _, file := range files {
		content, _ := os.ReadFile(file) // the thread may have ended
		for pid := range strings.FieldsSeq(string(content)) {
			if n, err := strconv.Atoi(pid); err == nil {
				pids = append(pids, n)
			}
		}
	}
	return pids
}

// childrenAmongAll returns them too, from all processes of the machine.
func childrenAmongAll() []int {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	self := strconv.Itoa(os.Getpid())
	var pids []int
	for _, file := range files {
		if procStat(file, statParent) != self {
			continue
		}
		if n, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

// signalFamily sends a signal to all children and, if one of them is in it, to the
// process group. Until a child is waited for, no other process has its id, nor another
// group that of its group: no other process is hit.
func signalFamily(group int, sig syscall.Signal) {
	grouped := false
	for _, pid := range children() {
		if g, err := syscall.Getpgid(pid); err == nil && g == group {
			grouped = true
			continue
		}
		_ = syscall.Kill(pid, sig) // it may have ended
	}
	if grouped {
		_ = syscall.Kill(-group, sig)
	}
}

// reap waits for the children that have ended, and calls ended for each. It does not
// block, and returns false when there are no children any more.
func reap(ended func(pid int, status syscall.WaitStatus)) bool {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return false // ECHILD
		case pid == 0:
			return true
		case ended != nil:
			ended(pid, status)
		}
	}
}

// killAgain is the pause before those are killed that were not there the time before.
const killAgain = 2 * time.Millisecond

// killFamily kills all descendants of this process and waits until they are gone, save
// for children whose identity is among others, and what these have started. It blocks for
// as long as the kernel takes. What else waits for a child meanwhile may get ECHILD.
func killFamily(others map[string]bool) {
	for clean := 0; reap(nil); time.Sleep(killAgain) {
		clean++
		for _, pid := range children() {
			if !others[identity(pid)] {
				clean = 0
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		// A look may miss a child that comes just then, but not again and again.
		if len(others) > 0 && clean == cleanLooks {
			return
		}
	}
}

// cleanLooks is how many looks in a row have to find others alone.
const cleanLooks = 3

// identity names a process for as long as the machine runs, as its id alone does not.
func identity(pid int) string { return strconv.Itoa(pid) + "." + Started(pid) }

// now reads the clock.
func now() instant {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return never // and so everything is over
	}
	return instant(t.Nano())
}

// alarm is a timer on that clock. Those of the runtime stand still while the machine
// is suspended.
type alarm struct {
	C    <-chan struct{}
	fd   int
	file *os.File
}

func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	rang := make(chan struct{}, 1)
	a := &alarm{C: rang, fd: fd, file: os.NewFile(uintptr(fd), "timerfd")}
	go func() {
		var count [8]byte
		for {
			if _, err := a.file.Read(count[:]); err != nil {
				return // stopped
			}
			select {
			case rang <- struct{}{}:
			default:
			}
		}
	}()
	return a, nil
}

// set makes the alarm ring at that instant, and at no other.
func (a *alarm) set(at instant) error {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(int64(at), 1))} // 0 would disarm it
	return os.NewSyscallError("timerfd_settime", unix.TimerfdSettime(a.fd, unix.TFD_TIMER_ABSTIME, &spec, nil))
}

func (a *alarm) stop() { _ = a.file.Close() }
