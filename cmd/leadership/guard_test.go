//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
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

// TestCommandEndsInTimeThoughASessionIsHit strikes all processes of the session, or
// of the process group, that run is in, as job control and closed logins do.
func TestCommandEndsInTimeThoughASessionIsHit(t *testing.T) {
	const ttl = 2 * time.Second
	for name, c := range map[string]struct {
		sig   syscall.Signal
		field int // of a process, which they share
	}{
		"group stopped":   {syscall.SIGSTOP, 5 - 3},
		"group killed":    {syscall.SIGKILL, 5 - 3},
		"session stopped": {syscall.SIGSTOP, 6 - 3},
		"session killed":  {syscall.SIGKILL, 6 - 3},
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
			for _, pid := range p.family() {
				if procStat(fmt.Sprintf("/proc/%d/stat", pid), c.field) == own {
					kill(t, pid, c.sig)
				} else {
					others = append(others, pid)
				}
			}
			struck := time.Now()
			eventually(t, "end of its guard and all that it started", func() bool {
				return !slices.ContainsFunc(p.family(), func(pid int) bool { return pid != p.cmd.Process.Pid })
			})
			if took := time.Since(struck); took > ttl || len(others) == 0 {
				t.Errorf("the command was gone %v after that, with a TTL of %v; %d processes were out of reach", took, ttl, len(others))
			}
			_ = p.cmd.Process.Signal(syscall.SIGCONT)
			_ = p.cmd.Process.Signal(syscall.SIGTERM)
			p.wait()
		})
	}
}

func TestChildrenAreFoundInBothWays(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	for name, found := range map[string][]int{"own": children(), "among all": childrenAmongAll()} {
		if !slices.Contains(found, cmd.Process.Pid) {
			t.Errorf("%s: %d is missing in %v", name, cmd.Process.Pid, found)
		}
	}
	if found := childrenAmongAll(); slices.Contains(found, os.Getpid()) || slices.Contains(found, 1) {
		t.Errorf("got %v", found)
	}
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

// On a busy machine a guard starts late, and by its first order the term is over;
// or that is a signal, and the deadline was not told, or comes after it.
func TestGuardStartsNoCommandWithoutADeadlineThatIsAhead(t *testing.T) {
	past := now().add(-time.Second)
	for name, c := range map[string]struct {
		orders []order
		want   report
	}{
		"renewed":               {[]order{{Over: past, Last: past}, {Over: never, Last: never}}, report{Code: 7}},
		"not renewed":           {[]order{{Over: past, Last: past}}, report{Ended: true}},
		"told to end":           {[]order{{Over: past, Last: past}, {Stop: true}}, report{Ended: true}},
		"signal alone":          {[]order{{Signal: syscall.SIGHUP}}, report{Ended: true}},
		"signal, then deadline": {[]order{{Signal: syscall.SIGHUP}, {Over: never}}, report{Code: 7}},
		"signal, then end":      {[]order{{Signal: syscall.SIGHUP}, {Stop: true}}, report{Ended: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newTestGuard(t, "exit 7")
			for _, o := range c.orders {
				g.order(o)
			}
			if c.want.Ended { // and its parent is gone
				g.orders.Close()
			}
			if got := g.report(); got != c.want {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// The orders of the time that a guard was frozen are there all at once.
func TestGuardGoesByTheLastOfTheOrdersThatCameMeanwhile(t *testing.T) {
	past := now().add(-time.Second)
	for name, c := range map[string]struct {
		orders []order
		want   report
	}{
		"renewed":              {[]order{{Over: past, Last: past}, {Over: never, Last: never}, {Signal: syscall.SIGUSR1}}, report{Code: 7}},
		"renewed, then killed": {[]order{{Over: past, Last: past}, {Kill: true}, {Over: never, Last: never}}, report{Code: 128 + 9, Ended: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJournal(t)
			g := newTestGuard(t, `trap "exit 7" USR1; trap "" TERM; echo start >>"$0"; while :; do sleep 0.02; done`, j.path)
			g.order(order{Over: never})
			j.await("start", 1)
			g.order(c.orders...)
			if got := g.report(); got != c.want {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestGuardIsNotStartedByHand(t *testing.T) {
	t.Parallel()
	if code := start(t, "guard", "--", "true").wait(); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
}

// testGuard is a guard whose parent is the test.
type testGuard struct {
	*process
	orders, reports *os.File
}

func newTestGuard(t *testing.T, script string, args ...string) *testGuard {
	t.Helper()
	ordersIn, orders, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reports, reportsOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		orders.Close()
		reports.Close()
	})
	p := prepare(t, nil, append([]string{"guard", "--grace", "1h", "--", "sh", "-c", script}, args...)...)
	p.cmd.ExtraFiles = []*os.File{ordersIn, reportsOut}
	p.begin()
	ordersIn.Close()
	reportsOut.Close()
	return &testGuard{p, orders, reports}
}

// order gives orders, all at once.
func (g *testGuard) order(orders ...order) {
	g.t.Helper()
	var lines bytes.Buffer
	for _, o := range orders {
		if err := json.NewEncoder(&lines).Encode(o); err != nil {
			g.t.Fatal(err)
		}
	}
	if _, err := g.orders.Write(lines.Bytes()); err != nil {
		g.t.Fatal(err)
	}
}

// report is what it says at its end.
func (g *testGuard) report() (r report) {
	g.t.Helper()
	_ = g.reports.SetReadDeadline(time.Now().Add(20 * time.Second))
	if err := json.NewDecoder(g.reports).Decode(&r); err != nil {
		g.t.Errorf("no report: %v", err)
	}
	g.wait()
	return r
}
