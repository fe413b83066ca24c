//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Each head of a hydra ignores SIGTERM and leaves for a session of its own, and
// then starts the next and exits: no parent, no group and no id holds it.
const hydra = `trap "" TERM HUP; n=$(($2 + 1)); [ $n -gt 3 ] || echo "head $n" >>"$1"; sleep 0.02; setsid sh "$0" "$1" $n & exit 0`

func TestCommandThatFleesIsGoneBeforeTheDeadline(t *testing.T) {
	for name, strike := range map[string]func(t *testing.T, p *process){
		"asked to end":           func(_ *testing.T, p *process) { p.signal(syscall.SIGTERM) },
		"parent killed":          func(_ *testing.T, p *process) { p.signal(syscall.SIGKILL) },
		"parent frozen":          func(_ *testing.T, p *process) { p.signal(syscall.SIGSTOP) },
		"guard killed":           func(t *testing.T, p *process) { kill(t, p.guard(), syscall.SIGKILL) },
		"guard frozen, then end": func(t *testing.T, p *process) { kill(t, p.guard(), syscall.SIGSTOP); p.signal(syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJournal(t)
			script := filepath.Join(t.TempDir(), "hydra.sh")
			if err := os.WriteFile(script, []byte(hydra), 0o600); err != nil {
				t.Fatal(err)
			}
			p := start(t, "run", "--store", sqliteURL(t), "--key", key, "--ttl", "2s", "--grace", "300ms", "--",
				"sh", "-c", `sh "$0" "$1" 0; sleep 1000`, script, j.path)
			j.await("head 3", 1)
			strike(t, p)
			began := time.Now()
			eventually(t, "end of its guard and all that it started", func() bool {
				return !slices.ContainsFunc(p.family(), func(pid int) bool {
					return pid != p.cmd.Process.Pid
				})
			})
			t.Logf("after %v", time.Since(began))
			_ = p.cmd.Process.Signal(syscall.SIGCONT)
			_ = p.cmd.Process.Signal(syscall.SIGTERM)
			p.wait()
		})
	}
}

// TestCommandEndsInTimeThoughASessionIsHit sends a signal to all processes of the session
// or of the process group of run, as job control and closed logins do.
func TestCommandEndsInTimeThoughASessionIsHit(t *testing.T) {
	const ttl = 2 * time.Second
	for name, c := range map[string]struct {
		sig   syscall.Signal
		field int // of a process in proc_pid_stat(5), which they share
	}{
		"group stopped":   {syscall.SIGSTOP, 5},
		"group killed":    {syscall.SIGKILL, 5},
		"session stopped": {syscall.SIGSTOP, 6},
		"session killed":  {syscall.SIGKILL, 6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJournal(t)
			p := prepare(t, nil, "run", "--store", sqliteURL(t), "--key", key, "--ttl", ttl.String(), "--grace", "300ms", "--",
				"sh", "-c", `trap "" TERM HUP; (while :; do echo beside >>"$0"; sleep 0.02; done) & while :; do echo work >>"$0"; sleep 0.02; done`, j.path)
			p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			p.begin()
			j.await("work", 1)
			j.await("beside", 1)
			own := strconv.Itoa(p.cmd.Process.Pid)
			var others []int
			family := p.family()
			for _, pid := range family {
				if statOf(pid, c.field) == own {
					kill(t, pid, c.sig)
				} else {
					others = append(others, pid)
				}
			}
			struck := time.Now()
			goesOn := func(pid int) bool { return pid != p.cmd.Process.Pid && p.includes(pid) }
			eventually(t, "end of its guard and all that it started", func() bool {
				// Those that are known first: to look for others takes all processes there are.
				return !slices.ContainsFunc(family, goesOn) && !slices.ContainsFunc(p.family(), goesOn)
			})
			// Each of them writes every 20 ms as long as it runs. When this test notices that
			// they are gone says less: it has to find time to look.
			last, err := os.Stat(j.path)
			if err != nil {
				t.Fatal(err)
			}
			if took := last.ModTime().Sub(struck); took > ttl || len(others) == 0 {
				t.Errorf("the command worked for %v after that, with a TTL of %v; %d processes were out of reach", took, ttl, len(others))
			}
			_ = p.cmd.Process.Signal(syscall.SIGCONT)
			_ = p.cmd.Process.Signal(syscall.SIGTERM)
			p.wait()
		})
	}
}

// statOf returns a field of a process, counted as in proc_pid_stat(5).
func statOf(pid, field int) string {
	content, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, behind, _ := bytes.Cut(content, []byte(") ")) // the name of the program
	if fields := strings.Fields(string(behind)); field-3 < len(fields) {
		return fields[field-3]
	}
	return "" // it has ended
}

func TestCommandReadsTheInputToItsEnd(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	in := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(in, []byte("one\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(in)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p := prepare(t, nil, "run", "--store", sqliteURL(t), "--key", key, "--", "sh", "-c", `cat >>"$0"; echo end >>"$0"`, j.path)
	p.cmd.Stdin = file
	p.begin()
	if code := p.wait(); code != 0 || strings.Join(j.lines(), " ") != "one two end" {
		t.Errorf("exit code %d, %q", code, j.lines())
	}
}

func TestGuardIsNotStartedByHand(t *testing.T) {
	t.Parallel()
	if code := start(t, "guard", "--", "true").wait(); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
}
