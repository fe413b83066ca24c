//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/cmd/leadership/internal/guard"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

// asProgram makes the test binary the program, so that its processes are raced and
// covered as the tests are.
const asProgram = "LEADERSHIP_TEST_PROGRAM"

// holdGuard names a file: while it is there no guard begins, as on a busy machine.
const holdGuard = "LEADERSHIP_TEST_HOLD_GUARD"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		for held := os.Getenv(holdGuard); held != "" && os.Args[1] == guard.Name; time.Sleep(time.Millisecond) {
			if _, err := os.Stat(held); err != nil {
				break
			}
		}
		main()
	}
	for _, sig := range append([]os.Signal{os.Interrupt, syscall.SIGTERM}, passedOn...) {
		if signal.Ignored(sig) { // as nohup has SIGHUP: the programs would ignore it as well
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
	os.Exit(servers.VerifyMain(m, nil))
}

// process is the program in a process of its own.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	mark string // in the environment of it and all that it starts
	out  output
	errs output
	done chan struct{}
}

// output is what a process has printed so far.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

var processes atomic.Int64

// start starts the program, which is killed at the end of the test.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	return startWith(t, nil, args...)
}

// startWith starts it with more environment.
func startWith(t *testing.T, environ []string, args ...string) *process {
	t.Helper()
	p := prepare(t, environ, args...)
	p.begin()
	return p
}

// prepare does all but start it.
func prepare(t *testing.T, environ []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, done: make(chan struct{}), mark: fmt.Sprintf("LEADERSHIP_TEST_MARK=%d-%d.", os.Getpid(), processes.Add(1))}
	p.cmd = exec.Command("/proc/self/exe", args...)
	// Under the race detector a program sleeps for a second before it exits.
	p.cmd.Env = append(append(os.Environ(), asProgram+"=1", "GORACE=atexit_sleep_ms=0", p.mark), environ...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.errs
	return p
}

func (p *process) begin() {
	t := p.t
	t.Helper()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		for _, pid := range p.family() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		<-p.done
		if t.Failed() {
			t.Logf("%s: %v\n%s%s", strings.Join(p.cmd.Args[1:], " "), p.cmd.ProcessState, p.out.String(), p.errs.String())
		}
	})
}

// family are the processes of it and all that it started, as long as they run.
func (p *process) family() []int {
	var pids []int
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		var pid int
		if _, _ = fmt.Sscanf(file, "/proc/%d/", &pid); p.includes(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// includes reports whether a process is of the family, and has not ended.
func (p *process) includes(pid int) bool {
	env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)) // that of a process that has ended is empty
	return bytes.Contains(env, []byte(p.mark))
}

// guard is the process id of its guard.
func (p *process) guard() int {
	for _, pid := range p.family() {
		if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); bytes.Contains(line, []byte("\x00guard\x00")) {
			return pid
		}
	}
	return 0
}

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Errorf("send %v: %v", sig, err)
	}
}

// wait returns the exit code, once the program has ended, with nothing left.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		p.t.Fatal("the program does not end")
	}
	if left := p.family(); len(left) > 0 {
		p.t.Errorf("processes are left: %v", left)
	}
	return p.cmd.ProcessState.ExitCode()
}

// journal is a file that commands write lines to.
type journal struct {
	t    *testing.T
	path string
}

func newJournal(t *testing.T) *journal { return &journal{t, filepath.Join(t.TempDir(), "journal")} }

func (j *journal) lines() []string {
	content, err := os.ReadFile(j.path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		j.t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(content)), "\n")
}

// await waits for a line that begins so, the nth one, and returns the rest.
func (j *journal) await(begin string, nth int) string {
	j.t.Helper()
	var found string
	eventually(j.t, fmt.Sprintf("line %d of %q", nth, begin), func() bool {
		n := 0
		for _, line := range j.lines() {
			if rest, ok := strings.CutPrefix(line, begin); ok {
				if n++; n == nth {
					found = strings.TrimSpace(rest)
					return true
				}
			}
		}
		return false
	})
	return found
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s", what)
		}
	}
}

// sqliteURL is a store for one test.
func sqliteURL(t *testing.T) string {
	t.Helper()
	return "sqlite://" + filepath.Join(t.TempDir(), "elections.db")
}

func open(t *testing.T, url string) store.Store {
	t.Helper()
	kv, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kv.Close() })
	return kv
}

// inProcess runs a command line here.
func inProcess(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var out, errs bytes.Buffer
	code = execute(ctx, args, strings.NewReader(""), &out, &errs, []string{"HOME=" + t.TempDir()})
	return code, out.String(), errs.String()
}
