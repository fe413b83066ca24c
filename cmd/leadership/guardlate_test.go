//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seed-a1d591d3/leadership"
)

// On a busy machine a guard may begin so late that its term is over.
func TestNoSuccessWithoutACommandThatWasStarted(t *testing.T) {
	evict := func(t *testing.T, url string, _ *process) {
		t.Helper()
		if err := leadership.Ask(t.Context(), open(t, url), key, leadership.Request{Action: leadership.Resign, By: "olga"}); err != nil {
			t.Error(err)
		}
	}
	end := func(_ *testing.T, _ string, p *process) { p.signal(syscall.SIGTERM) }
	for name, c := range map[string]struct {
		args   []string
		strike func(t *testing.T, url string, p *process)
		code   int
		says   string
	}{
		"run, signal":       {[]string{"run", key, "--ttl", "1m"}, end, exitSignalBase + 15, "the command was not started"},
		"once, evicted":     {[]string{"run", key, "--ttl", "1m", "--once"}, evict, exitRun, `the command was not started: no longer leading: leader evicted: "olga"`},
		"try, evicted":      {[]string{"run", key, "--ttl", "1m", "--try"}, evict, exitRun, `the command was not started: no longer leading: leader evicted: "olga"`},
		"round run, signal": {[]string{"round", "run", "backup", "r"}, end, exitSignalBase + 15, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, dir := sqliteURL(t), t.TempDir()
			held, ran := filepath.Join(dir, "held"), filepath.Join(dir, "ran")
			if err := os.WriteFile(held, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			p := startWith(t, []string{holdGuard + "=" + held}, append(c.args, "--local", "--store", url, "--", "touch", ran)...)
			eventually(t, "guard", func() bool { return p.guard() != 0 })
			struck := make(chan struct{})
			go func() {
				defer close(struck)
				c.strike(t, url, p) // which waits for the end of the term
			}()
			guard := p.guard()
			eventually(t, "order to stop", func() bool { return strings.Contains(untaken(t, guard), `"stop":true`) })
			if err := os.Remove(held); err != nil {
				t.Fatal(err)
			}
			<-struck
			if code := p.wait(); code != c.code || !strings.Contains(p.errs.String(), c.says) {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if _, err := os.Stat(ran); err == nil {
				t.Error("the command was run")
			}
		})
	}
}

// untaken are the orders that a guard has not read yet.
func untaken(t *testing.T, guard int) string {
	t.Helper()
	orders, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/3", guard), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer orders.Close()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	defer in.Close()
	n, err := unix.Tee(int(orders.Fd()), int(in.Fd()), 4096, unix.SPLICE_F_NONBLOCK)
	if err != nil {
		return ""
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(out, text); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A shell may start a process, and then become run by exec, which has that as its child.
func TestWhatRunHasNotStartedOutlivesItsGuard(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	p := prepare(t, nil, "run", "--store", sqliteURL(t), "--key", key, "--", "sh", "-c", `setsid sleep 1000 & echo start >>"$0"; sleep 1000`, j.path)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Args = append([]string{"sh", "-c", `sleep 1000 >/dev/null 2>&1 & echo "other $!" >>"$0"; exec "$@"`, j.path, exe}, p.cmd.Args[1:]...)
	p.cmd.Path = "/bin/sh"
	p.begin()
	other, err := strconv.Atoi(j.await("other", 1))
	if err != nil {
		t.Fatal(err)
	}
	j.await("start", 1)
	kill(t, p.guard(), syscall.SIGKILL)
	<-p.done
	if code := p.cmd.ProcessState.ExitCode(); code != exitRun {
		t.Errorf("exit code %d", code)
	}
	if left := p.family(); !slices.Equal(left, []int{other}) {
		t.Errorf("processes %v are left, want %d alone", left, other)
	}
}
