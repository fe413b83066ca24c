//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/servers"
)

const key = "service/leader"

// stubborn is a command that only SIGKILL ends, with a child in the background and one
// that has left the group and the session. They hold a lock while one of them is there; a
// second command that runs meanwhile writes a line.
func stubborn(j *journal) []string {
	return []string{"--", "sh", "-c", `
		exec 9>>"$0.lock"
		flock -n 9 || echo "overlap $LEADERSHIP_NODE" >>"$0"
		trap "" TERM
		sleep 1000 &
		setsid sleep 1000 &
		echo "start $LEADERSHIP_NODE $LEADERSHIP_TOKEN" >>"$0"
		while :; do sleep 0.05; done`, j.path}
}

func TestNextCommandStartsOnlyAfterTheLeadersIsGone(t *testing.T) {
	for name, strike := range map[string]func(t *testing.T, a *process, proxy *servers.Proxy){
		"killed with its parent":   func(_ *testing.T, a *process, _ *servers.Proxy) { a.signal(syscall.SIGKILL) },
		"frozen":                   func(_ *testing.T, a *process, _ *servers.Proxy) { a.signal(syscall.SIGSTOP) },
		"cut off from the store":   func(_ *testing.T, _ *process, proxy *servers.Proxy) { proxy.Stop() },
		"asked to end":             func(_ *testing.T, a *process, _ *servers.Proxy) { a.signal(syscall.SIGTERM) },
		"with its guard killed":    func(t *testing.T, a *process, _ *servers.Proxy) { kill(t, a.guard(), syscall.SIGKILL) },
		"frozen with store gone":   func(_ *testing.T, a *process, p *servers.Proxy) { p.Stop(); a.signal(syscall.SIGSTOP) },
		"cut off, guard is frozen": func(t *testing.T, a *process, p *servers.Proxy) { kill(t, a.guard(), syscall.SIGSTOP); p.Stop() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := servers.Shared(t, "redis")
			url := "redis://" + server.Addr
			election := strings.ReplaceAll(t.Name(), " ", "-")
			proxy := servers.NewProxy(t, server.Addr)
			j := newJournal(t)
			flags := []string{"run", "--key", election, "--ttl", "2s", "--grace", "300ms"}
			a := start(t, append(append(flags, "--store", "redis://"+proxy.Addr, "--node", "a"), stubborn(j)...)...)
			j.await("start a", 1)
			b := start(t, append(append(flags, "--store", url, "--node", "b"), stubborn(j)...)...)
			eventually(t, "candidate b", func() bool { return len(b.family()) > 0 })
			strike(t, a, proxy)
			j.await("start b", 1)
			guard := a.guard() // which may be about to exit
			for _, pid := range a.family() {
				if pid != a.cmd.Process.Pid && pid != guard {
					t.Errorf("process %d of the first is there when the second starts", pid)
				}
			}
			for _, line := range j.lines() {
				if strings.HasPrefix(line, "overlap") {
					t.Error("both commands ran at once")
				}
			}
			_ = a.cmd.Process.Signal(syscall.SIGCONT) // it may have ended
			_ = a.cmd.Process.Signal(syscall.SIGTERM)
			a.wait()
			b.signal(syscall.SIGTERM)
			if code := b.wait(); code != 128+int(syscall.SIGKILL) {
				t.Errorf("the exit code is %d", code)
			}
		})
	}
}

func kill(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if pid == 0 {
		t.Fatal("there is no such process")
	}
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
}

func TestExitCodeIsThatOfTheCommand(t *testing.T) {
	t.Parallel()
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("no program"), 0o600); err != nil {
		t.Fatal(err)
	}
	url := sqliteURL(t)
	for _, c := range []struct {
		code int
		args []string
	}{
		{0, []string{"--", "true"}},
		{7, []string{"--once", "--", "sh", "-c", "exit 7"}},
		{128 + 9, []string{"--", "sh", "-c", "kill -9 $$"}},
		{exitNotFound, []string{"--", "/nowhere/command"}},
		{exitNoExec, []string{"--", plain}},
		{exitRun, []string{"--store", "sqlite:///nowhere/at/all.db", "--", "true"}},
	} {
		if p := start(t, append([]string{"run", "--key", key, "--store", url}, c.args...)...); p.wait() != c.code {
			t.Errorf("%q: exit code %d, want %d: %s", c.args, p.cmd.ProcessState.ExitCode(), c.code, p.errs.String())
		}
	}
}

func TestWhatTheCommandLeavesRunningEndsWithIt(t *testing.T) {
	t.Parallel()
	p := start(t, "run", "--store", sqliteURL(t), "--key", key, "--ttl", "1s", "--",
		"sh", "-c", "sleep 1000 & setsid sleep 1000 & (trap '' TERM; sleep 1000) & exit 4")
	if code := p.wait(); code != 4 {
		t.Errorf("the exit code is %d", code)
	}
}

func TestCommandKnowsItsTermAndHasTheEnvironmentOfRun(t *testing.T) {
	t.Parallel()
	p := startWith(t, []string{"LEADERSHIP_STORE=" + sqliteURL(t), "LEADERSHIP_NODE=other"}, "run", "--key", key, "--node", "n", "--", "env")
	if code := p.wait(); code != 0 {
		t.Fatalf("the exit code is %d", code)
	}
	out := p.out.String()
	for _, want := range []string{"LEADERSHIP_KEY=" + key + "\n", "LEADERSHIP_NODE=n\n", "LEADERSHIP_TOKEN=1", "LEADERSHIP_STORE=sqlite://"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(out, "=other") {
		t.Error("the command has a node of another name in its environment")
	}
}

func TestSignalsArePassedOn(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	url := sqliteURL(t)
	p := start(t, "run", "--store", url, "--key", key, "--grace", "2s", "--", "sh", "-c", `
		for s in HUP USR1 USR2 WINCH; do trap "echo $s >>'$0'" $s; done
		trap "exit 3" TERM
		echo ready >>"$0"
		while :; do sleep 0.02; done`, j.path)
	j.await("ready", 1)
	for name, sig := range map[string]syscall.Signal{"HUP": syscall.SIGHUP, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "WINCH": syscall.SIGWINCH} {
		p.signal(sig)
		j.await(name, 1)
	}
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 3 {
		t.Errorf("the exit code is %d", code)
	}
	pair, err := open(t, url).Get(t.Context(), key, nil)
	if err != nil || !strings.Contains(string(pair.Value), `"resigned"`) {
		t.Errorf("the seat was not given up: %v, %v", pair, err)
	}
}

func TestSecondSignalKillsTheCommand(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	p := start(t, append([]string{"run", "--store", sqliteURL(t), "--key", key, "--ttl", "10m", "--grace", "4m"}, stubborn(j)...)...)
	j.await("start", 1)
	p.signal(syscall.SIGINT)
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 128+9 {
		t.Errorf("the exit code is %d", code)
	}
}

func TestSignalEndsWhoeverWaits(t *testing.T) {
	t.Parallel()
	j, url := newJournal(t), sqliteURL(t)
	leader := start(t, append([]string{"run", "--store", url, "--key", key, "--node", "a", "--ttl", "2s"}, stubborn(j)...)...)
	j.await("start a", 1)
	waiting := start(t, "run", "--store", url, "--key", key, "--node", "b", "--verbose", "--", "true")
	eventually(t, "open store", func() bool { return has(waiting.cmd.Process.Pid, "elections.db") })
	waiting.signal(syscall.SIGTERM)
	if code := waiting.wait(); code != 128+15 {
		t.Errorf("the exit code is %d", code)
	}
	leader.signal(syscall.SIGTERM)
	leader.wait()
}

// has reports whether a process has a file of that name open.
func has(pid int, name string) bool {
	fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	return slices.ContainsFunc(fds, func(fd string) bool {
		file, err := os.Readlink(fd)
		return err == nil && filepath.Base(file) == name
	})
}

func TestCommandIsStartedAgainOnReelection(t *testing.T) {
	t.Parallel()
	j, url := newJournal(t), sqliteURL(t)
	kv := open(t, url)
	p := start(t, append([]string{"run", "--store", url, "--key", key, "--node", "a", "--ttl", "1s"}, stubborn(j)...)...)
	first := j.await("start a", 1)
	if err := leadership.Ask(t.Context(), kv, key, leadership.Request{Action: leadership.Resign}); err != nil {
		t.Fatal(err)
	}
	if second := j.await("start a", 2); second <= first {
		t.Errorf("the second token is %s, after %s", second, first)
	}
	p.signal(syscall.SIGTERM)
	p.wait()
}

func TestOnceEndsWithTheTerm(t *testing.T) {
	t.Parallel()
	j, url := newJournal(t), sqliteURL(t)
	kv := open(t, url)
	p := start(t, "run", "--store", url, "--key", key, "--once", "--", "sh", "-c", `trap "exit 5" TERM; echo start >>"$0"; while :; do sleep 0.02; done`, j.path)
	j.await("start", 1)
	if err := leadership.Ask(t.Context(), kv, key, leadership.Request{Action: leadership.Resign}); err != nil {
		t.Fatal(err)
	}
	if code := p.wait(); code != 5 {
		t.Errorf("the exit code is %d", code)
	}
}

func TestRestartRunsTheCommandAgain(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	p := start(t, "run", "--store", sqliteURL(t), "--key", key, "--ttl", "2s", "--restart", "--", "sh", "-c", `echo start >>"$0"; exit 9`, j.path)
	j.await("start", 3)
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 9 && code != 128+15 {
		t.Errorf("the exit code is %d", code)
	}
}

// README and help say who gets SIGTERM: not a process that is in another group and has a
// parent that lives.
func TestTermGoesToTheGroupAndKillToAllOthers(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte(`
		trap "echo TERM $1 >>'$2'; exit" TERM
		if [ $1 = command ]; then
			sh "$0" group "$2" &
			setsid sh "$0" apart "$2" &
			sh -c 'setsid sh "$0" orphan "$1" &' "$0" "$2"
		fi
		echo up >>"$2"
		while :; do sleep 0.02; done`), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "run", "--store", sqliteURL(t), "--key", key, "--grace", "500ms", "--", "sh", script, "command", j.path)
	j.await("up", 4)
	p.signal(syscall.SIGTERM)
	p.wait() // nothing is left
	got := slices.DeleteFunc(j.lines(), func(line string) bool { return line == "up" })
	slices.Sort(got)
	if want := []string{"TERM command", "TERM group", "TERM orphan"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestRunLeadsOnWhenNobodyReadsItsLog(t *testing.T) {
	t.Parallel()
	url := sqliteURL(t)
	p := prepare(t, nil, "run", key, "--store", url, "--", "sh", "-c", "exit 7")
	log, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	log.Close()
	p.cmd.Stderr = stderr
	p.begin()
	stderr.Close()
	if code := p.wait(); code != 7 {
		t.Errorf("it has ended with %v", p.cmd.ProcessState)
	}
	pair, err := open(t, url).Get(t.Context(), key, nil)
	if err != nil || !strings.Contains(string(pair.Value), `"resigned"`) {
		t.Errorf("the seat was not given up: %v, %v", pair, err)
	}
}
