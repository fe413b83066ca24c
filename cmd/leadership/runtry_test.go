//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestTryRunsTheCommandOnlyIfTheSeatIsFree(t *testing.T) {
	t.Parallel()
	j, url := newJournal(t), sqliteURL(t)
	run := func(more []string, script string) *process {
		t.Helper()
		return start(t, append(append([]string{"run", key, "--store", url, "--local", "--ttl", "2s"}, more...), "--", "sh", "-c", script, j.path)...)
	}
	skipped := func(why string, more ...string) {
		t.Helper()
		p := run(append(more, "--try"), `echo skipped >>"$0"`)
		if code := p.wait(); code != exitTaken || !strings.Contains(p.errs.String(), why) || why == "" && p.errs.String() != "" {
			t.Errorf("%q: exit code %d: %s", why, code, p.errs.String())
		}
	}
	if code := run([]string{"--try"}, `echo free >>"$0"; exit 6`).wait(); code != 6 {
		t.Errorf("exit code %d", code)
	}
	leader := run([]string{"--node", "a"}, `echo leads >>"$0"; exec sleep 100`)
	j.await("leads", 1)
	skipped("")
	skipped("not run: a leads "+key, "--verbose")
	skipped("not run: a leads "+key, "--verbose", "--node", "a")
	if code, _, errs := inProcess(t, "pause", key, "--keep", "--by", "olga", "--store", url); code != 0 {
		t.Errorf("exit code %d: %s", code, errs)
	}
	skipped("is paused by olga", "--verbose")
	if code, _, errs := inProcess(t, "resume", key, "--store", url); code != 0 {
		t.Errorf("exit code %d: %s", code, errs)
	}
	leader.signal(syscall.SIGKILL)
	if code := run([]string{"--try"}, `echo crashed >>"$0"`).wait(); code != 0 {
		t.Errorf("after a crash: exit code %d", code)
	}
	if got := strings.Join(j.lines(), " "); got != "free leads crashed" {
		t.Errorf("got %q", got)
	}
}

func TestTryDoesNotWaitForALeaderThatIsAboutToEnd(t *testing.T) {
	t.Parallel()
	j, url := newJournal(t), sqliteURL(t)
	leader := start(t, "run", key, "--store", url, "--ttl", "1m", "--", "sh", "-c", `echo leads >>"$0"; exec sleep 100`, j.path)
	j.await("leads", 1)
	p := start(t, "run", key, "--store", url, "--ttl", "1m", "--try", "--verbose", "--", "sh", "-c", `echo ran >>"$0"`, j.path)
	eventually(t, "look", func() bool { return strings.Contains(p.errs.String(), "waiting: another leads") })
	leader.signal(syscall.SIGTERM)
	if code := p.wait(); code != exitTaken || len(j.lines()) != 1 {
		t.Errorf("exit code %d: %q, %s", code, j.lines(), p.errs.String())
	}
	leader.wait()
}

func TestOfSeveralThatTryOneRuns(t *testing.T) {
	t.Parallel()
	j, url := newJournal(t), sqliteURL(t)
	var all []*process
	for range 4 {
		all = append(all, start(t, "run", key, "--store", url, "--ttl", "2s", "--node", "same", "--try", "--", "sh", "-c", `echo ran >>"$0"; while [ ! -e "$0.end" ]; do sleep 0.05; done`, j.path))
	}
	j.await("ran", 1)
	eventually(t, "end of the others", func() bool {
		running := 0
		for _, p := range all {
			select {
			case <-p.done:
			default:
				running++
			}
		}
		return running == 1
	})
	if err := os.WriteFile(j.path+".end", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	codes := make(map[int]int)
	for _, p := range all {
		codes[p.wait()]++
	}
	if codes[0] != 1 || codes[exitTaken] != 3 || len(j.lines()) != 1 {
		t.Errorf("exit codes %v, %q", codes, j.lines())
	}
}

func TestRunStepsDownWhenItsHealthCheckFails(t *testing.T) {
	t.Parallel()
	url, healthy := sqliteURL(t), filepath.Join(t.TempDir(), "healthy")
	j := newJournal(t)
	p := start(t, "run", key, "--store", url, "--node", "a", "--ttl", "1s", "--health-check", `echo "$LEADERSHIP_KEY $LEADERSHIP_NODE"; test -e `+healthy,
		"--health-interval", "100ms", "--health-failures", "2", "--", "sh", "-c", `echo up >>"$0"; exec sleep 100`, j.path)
	eventually(t, "failed check", func() bool {
		return strings.Contains(p.errs.String(), "exit status 1: "+key+" a")
	})
	if strings.Contains(p.errs.String(), "the command is started") {
		t.Error("it leads though it is not healthy")
	}
	if err := os.WriteFile(healthy, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	j.await("up", 1)
	if err := os.Remove(healthy); err != nil {
		t.Fatal(err)
	}
	eventually(t, "end of the term", func() bool {
		return strings.Contains(p.errs.String(), `msg="no longer leading: the command was ended"`) && strings.Contains(p.errs.String(), `reason="leader unhealthy"`)
	})
	p.signal(syscall.SIGTERM)
	p.wait()
}

func TestHealthCheckThatHangsIsKilled(t *testing.T) {
	t.Parallel()
	p := start(t, "run", key, "--store", sqliteURL(t), "--ttl", "1s", "--health-check", "echo slow; sleep 100", "--health-interval", "100ms", "--", "true")
	eventually(t, "failed check", func() bool {
		return strings.Contains(p.errs.String(), "killed after ") && strings.Contains(p.errs.String(), ": slow")
	})
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 128+15 { // nothing is left
		t.Errorf("exit code %d", code)
	}
}

func TestRunLogsItsTermsAndNamesTheCommand(t *testing.T) {
	t.Parallel()
	j, url := newJournal(t), sqliteURL(t)
	a := start(t, "run", key, "--store", url, "--node", "a", "--ttl", "1s", "--", "sh", "-c", `echo up >>"$0"; exec sleep 100`, j.path)
	says := func(p *process, all ...string) {
		t.Helper()
		eventually(t, strings.Join(all, " "), func() bool {
			for line := range strings.Lines(p.errs.String()) {
				found := true
				for _, want := range all {
					found = found && strings.Contains(line, want)
				}
				if found {
					return true
				}
			}
			return false
		})
	}
	says(a, "leading: the command is started", "key="+key, "node=a", "token=", "command=sh")
	j.await("up", 1)
	b := start(t, "run", key, "--store", url, "--node", "b", "--ttl", "1s", "--", "true")
	says(b, "waiting: another leads", "leader=a", "token=")
	if code, _, errs := inProcess(t, "resign", key, "--store", url, "--by", "olga"); code != 0 {
		t.Errorf("exit code %d: %s", code, errs)
	}
	says(a, "no longer leading: the command was ended", "command=sh", `reason="leader evicted: \"olga\" asked it to resign"`)
	says(b, "leading: the command is started", "command=true")
	says(b, "the command has ended: the seat is given up", "command=true", "code=0")
	if code := b.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	j.await("up", 2)
	a.signal(syscall.SIGTERM)
	says(a, "no longer leading: the command was ended", `reason="a signal"`)
	a.wait()
}
