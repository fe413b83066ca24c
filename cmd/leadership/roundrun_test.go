//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/internal/view"
)

func TestRoundRunsItsCommandOnce(t *testing.T) {
	t.Parallel()
	j, url := newJournal(t), sqliteURL(t)
	var all sync.WaitGroup
	for range 4 {
		p := start(t, "round", "run", "backup", "r", "--store", url, "--wait", "--", "sh", "-c", `echo "ran $LEADERSHIP_ROUND" >>"$0"`, j.path)
		all.Go(func() {
			if code := p.wait(); code != 0 {
				t.Errorf("exit code %d: %s", code, p.errs.String())
			}
		})
	}
	all.Wait()
	if lines := j.lines(); len(lines) != 1 || lines[0] != "ran r" {
		t.Errorf("got %q", lines)
	}
}

func TestRoundIsCompletedOnlyByACommandThatSucceeds(t *testing.T) {
	t.Parallel()
	url := sqliteURL(t)
	if code := start(t, "round", "run", "backup", "r", "--store", url, "--", "sh", "-c", "exit 6").wait(); code != 6 {
		t.Errorf("exit code %d", code)
	}
	if code, _, _ := inProcess(t, "round", "completed", "backup", "r", "--store", url); code != exitNo {
		t.Error("the round is completed")
	}
	code, out, errs := inProcess(t, "round", "list", "backup", "--store", url, "--json")
	var l view.Round
	if err := json.Unmarshal([]byte(out), &l); err != nil || code != 0 {
		t.Fatalf("exit code %d: %q %s: %v", code, out, errs, err)
	}
	if l.Round != "r" || l.Failed.IsZero() || l.Failure == nil || *l.Failure != "exit code 6" || l.Completer != "" {
		t.Errorf("got %s", out)
	}
	second := start(t, "round", "run", "backup", "r", "--store", url, "--verbose", "--", "true")
	if code := second.wait(); code != 0 || !strings.Contains(second.errs.String(), `nothing to do in round r of backup`) ||
		!strings.Contains(second.errs.String(), `has failed: "exit code 6"`) {
		t.Errorf("exit code %d: %s", code, second.errs.String())
	}
}

func TestRoundOfACommandThatWasToldToEndIsNotCompleted(t *testing.T) {
	t.Parallel()
	j, url := newJournal(t), sqliteURL(t)
	p := start(t, "round", "run", "backup", "r", "--store", url, "--", "sh", "-c", `trap "exit 0" TERM; echo start >>"$0"; while :; do sleep 0.02; done`, j.path)
	j.await("start", 1)
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 128+15 {
		t.Errorf("exit code %d", code)
	}
	if code, out, _ := inProcess(t, "round", "list", "backup", "--store", url, "--json"); code != 0 || !strings.Contains(out, `"failure":"exit code 0, after it was told to end"`) {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestAttemptOfAMachineThatFailsIsTakenOver(t *testing.T) {
	for name, strike := range map[string]func(t *testing.T, p *process, proxy *servers.Proxy){
		"killed":                 func(_ *testing.T, p *process, _ *servers.Proxy) { p.signal(syscall.SIGKILL) },
		"frozen":                 func(_ *testing.T, p *process, _ *servers.Proxy) { p.signal(syscall.SIGSTOP) },
		"cut off from the store": func(_ *testing.T, _ *process, proxy *servers.Proxy) { proxy.Stop() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := servers.Shared(t, "redis")
			proxy := servers.NewProxy(t, server.Addr)
			j := newJournal(t)
			round := fmt.Sprint("r", time.Now().UnixNano())
			run := func(node, addr string) *process {
				flags := []string{"--store", "redis://" + addr, "--node", node, "--attempt-ttl", "2s", "--grace", "300ms", "--wait"}
				return start(t, append(append([]string{"round", "run", "takeover", round}, flags...), stubborn(j)...)...)
			}
			a := run("a", proxy.Addr)
			j.await("start a", 1)
			kv, changes, last := open(t, "redis://"+server.Addr), 0, ""
			eventually(t, "renewals for longer than the TTL", func() bool {
				pair, err := kv.Get(t.Context(), "takeover/"+round, nil)
				if err != nil {
					t.Fatal(err)
				}
				if string(pair.Value) != last {
					last = string(pair.Value)
					changes++
				}
				return changes > 5
			})
			b := run("b", server.Addr)
			eventually(t, "candidate b", func() bool { return len(b.family()) > 0 })
			strike(t, a, proxy)
			j.await("start b", 1)
			for _, line := range j.lines() {
				if strings.HasPrefix(line, "overlap") {
					t.Error("both commands ran at once")
				}
			}
			_ = a.cmd.Process.Signal(syscall.SIGCONT)
			a.wait()
			b.signal(syscall.SIGTERM)
			b.wait()
			code, out, errs := inProcess(t, "round", "list", "takeover", "--store", "redis://"+server.Addr)
			if code != 0 || !strings.Contains(out, "told to end") {
				t.Errorf("exit code %d: %s%s", code, out, errs)
			}
		})
	}
}

// The node has won an attempt with a TTL before, which a run without one goes on with.
func TestAttemptWithATTLIsKeptToWithoutTheFlag(t *testing.T) {
	t.Parallel()
	j, url := newJournal(t), sqliteURL(t)
	if code, _, errs := inProcess(t, "round", "elect", "kept", "r", "--store", url, "--node", "a", "--attempt-ttl", "2s"); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	run := func(node string, more ...string) *process {
		flags := append([]string{"round", "run", "kept", "r", "--store", url, "--node", node, "--grace", "300ms", "--wait"}, more...)
		return start(t, append(flags, stubborn(j)...)...)
	}
	a := run("a")
	j.await("start a", 1)
	a.signal(syscall.SIGSTOP)
	b := run("b", "--attempt-ttl", "2s")
	j.await("start b", 1)
	for _, line := range j.lines() {
		if strings.HasPrefix(line, "overlap") {
			t.Error("both commands ran at once")
		}
	}
	a.signal(syscall.SIGCONT)
	a.wait()
	b.signal(syscall.SIGTERM)
	b.wait()
}

func TestRoundsCommandEndsWithItsParent(t *testing.T) {
	t.Parallel()
	j, url := newJournal(t), sqliteURL(t)
	p := start(t, append([]string{"round", "run", "backup", "r", "--store", url, "--grace", "100ms"}, stubborn(j)...)...)
	j.await("start", 1)
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "end of all processes", func() bool { return len(p.family()) == 0 })
}
