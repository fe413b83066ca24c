//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/certs"
	"github.com/seed-a1d591d3/leadership/internal/servers"
)

// The lines of the console blocks of README.md and docs that begin with "$ " are typed one after another, each
// document in a shell and a folder of its own, with stores and addresses replaced by those of servers of the tests.
// What stays (run, serve, follow ...) has to print something, all else to exit with 0, and requests have to be answered
// as the document shows: by that status, or with those fields of JSON, and in no case as invalid.
// Tokens and beats are replaced by those of the answers.
//
// Whatever stands in an election does so as two nodes, until something asks for there to be no leader.

// untyped are commands that are left out.
var untyped = regexp.MustCompile(`^(git clone|go install) `)

// staying are those that do not end by themselves; candidates those of them that stand, and goingOn those that are not ended once they have printed something.
var (
	staying    = regexp.MustCompile(`leadership (serve|follow|demo|run)\b|curl -sN|leader\.py`)
	ending     = regexp.MustCompile(`leadership run .*--try`)
	candidates = regexp.MustCompile(`leadership run|leader\.py`)
	goingOn    = regexp.MustCompile(`leadership (serve|run)|leader\.py`)
	leaderless = regexp.MustCompile(`leadership forget|-X DELETE`)
	assigning  = regexp.MustCompile(`^(export )?(\w+=(\$\(.*\)|\S*)\s*)+(#.*)?$`)
)

// console is a shell in which the commands of a document are typed.
type console struct {
	t        *testing.T
	dir      string
	env      []string
	replaced []string // old and new
	standing []string // commands of candidates
	stop     []func() // that end what runs for them
}

func TestCommandsOfDocumentsRun(t *testing.T) {
	if testing.Short() {
		t.Skip("needs curl, openssl and python3, and takes 20 s")
	}
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	typed := 0
	for _, file := range append(files, "../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, block := range regexp.MustCompile("(?ms)^```console\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
			lines = append(lines, strings.Split(strings.TrimSpace(block[1]), "\n")...)
		}
		for _, line := range lines {
			if strings.HasPrefix(line, "$ ") {
				typed++
			}
		}
		if lines != nil {
			t.Run(filepath.Base(file), func(t *testing.T) {
				t.Parallel()
				newConsole(t, strings.Join(lines, "\n")).typeAll(lines)
			})
		}
	}
	if t.Logf("%d commands", typed); typed < 40 {
		t.Error("where are the others?")
	}
}

func newConsole(t *testing.T, text string) *console {
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ca := certs.New(t)
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	script := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil { //nolint:gosec // It is run.
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "bin"), 0o700), os.Symlink(examples, filepath.Join(dir, "examples")),
		os.Symlink(ca.Cert, filepath.Join(dir, "tls.crt")), os.Symlink(ca.Key, filepath.Join(dir, "tls.key")),
		os.WriteFile(filepath.Join(dir, "write-token"), []byte(strings.Repeat("secret", 6)), 0o600)); err != nil {
		t.Fatal(err)
	}
	script("bin/leadership", fmt.Sprintf("exec env %s=1 GORACE=atexit_sleep_ms=0 %s \"$@\"", asProgram, exe))
	script("bin/curl", `exec /usr/bin/curl --write-out '%{stderr}@status %{http_code}\n' "$@"`)
	script("scheduler", "exec sleep 60")
	script("report.sh", "true")
	script("backup.sh", "true")
	c := &console{t: t, dir: dir, env: append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "HOME="+dir, "XDG_STATE_HOME=")}
	at := freeAddr(t)
	c.replaced = []string{
		"go run ./cmd/leadership", "leadership", "127.0.0.1:8080", at, "10.0.0.7:8080", at, ":8443", freeAddr(t),
		"/run/secrets/token", filepath.Join(dir, "write-token"),
	}
	if strings.Contains(text, "redis://") {
		url := "redis://" + servers.Shared(t, "redis").Addr + "/?prefix=" + strings.ToLower(t.Name()+rand.Text()) + "/" // with -count, too
		c.env = append(c.env, "LEADERSHIP_STORE="+url)
		c.replaced = append(c.replaced, "redis://10.0.0.5:6379", "'"+url+"'", "redis://127.0.0.1:6379", "'"+url+"'", "redis://localhost:6379", "'"+url+"'")
	}
	if urls := regexp.MustCompile(`etcd://\S+`).FindAllString(text, -1); urls != nil {
		for _, url := range urls {
			c.replaced = append(c.replaced, url, "etcd://"+servers.Shared(t, "etcd").Addr+"/documents"+rand.Text())
		}
	}
	return c
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// typeAll types the commands of a document; the lines below each are what it prints.
func (c *console) typeAll(lines []string) {
	for i, line := range lines {
		command, ok := strings.CutPrefix(line, "$ ")
		if !ok || untyped.MatchString(command) {
			continue
		}
		var shown []string
		for _, next := range lines[i+1:] {
			if strings.HasPrefix(next, "$ ") {
				break
			}
			shown = append(shown, next)
		}
		began := time.Now()
		c.enter(command, strings.Join(shown, "\n"))
		c.t.Logf("%4.1f s: %s", time.Since(began).Seconds(), command)
	}
	c.endCandidates()
}

func (c *console) enter(command, shown string) {
	c.t.Helper()
	line := strings.NewReplacer(c.replaced...).Replace(command)
	if regexp.MustCompile(`leadership (serve|demo)`).MatchString(line) && !strings.Contains(line, "--listen") {
		line = regexp.MustCompile(`leadership (serve|demo)`).ReplaceAllString(line, "$0 --listen "+c.replaced[3])
	}
	switch {
	case assigning.MatchString(line):
		out, err := c.shell("set -a; " + line + "\nenv -0").Output()
		if err != nil {
			c.t.Errorf("%s: %v", command, err)
			return
		}
		c.env = strings.Split(strings.Trim(string(out), "\x00"), "\x00")
		return
	case staying.MatchString(line) && !ending.MatchString(line):
		end := c.begin(command, strings.TrimSuffix(strings.TrimSpace(line), "&"))
		if candidates.MatchString(line) {
			c.standing = append(c.standing, line)
			c.stop = append(c.stop, end, c.begin(command, twin(line)))
		} else if !goingOn.MatchString(line) {
			end()
		}
		return
	}
	if leaderless.MatchString(line) {
		c.endCandidates()
	}
	var errs bytes.Buffer
	cmd := c.shell(line)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		c.t.Errorf("%s: %v\n%s%s", command, err, out, &errs)
	}
	c.compare(command, shown, string(out), errs.String())
	if leaderless.MatchString(line) {
		for _, line := range c.standing {
			c.stop = append(c.stop, c.begin(command, line), c.begin(command, twin(line)))
		}
	}
}

// twin returns the command of a second candidate.
func twin(line string) string {
	if strings.Contains(line, "--node a") {
		return strings.Replace(line, "--node a", "--node b", 1)
	}
	return strings.Replace(line, " -- ", " --node node-b -- ", 1)
}

// compare checks an answer of a server by what the document shows.
func (c *console) compare(command, shown, out, errs string) {
	c.t.Helper()
	if !strings.Contains(command, "curl ") {
		return
	}
	status := regexp.MustCompile(`@status (\d+)`).FindStringSubmatch(errs)
	want := regexp.MustCompile(`^HTTP/1.1 (\d+)`).FindStringSubmatch(shown)
	switch {
	case status == nil || want != nil && want[1] != status[1]:
		c.t.Errorf("%s: status %v, want %v: %s", command, status, want, out)
	case want == nil && !slices.Contains([]string{"200", "202", "204", "409", "503"}, status[1]), status[1] == "409" && !strings.Contains(shown, `"error"`):
		c.t.Errorf("%s: status %s: %s", command, status[1], out)
	}
	for _, field := range regexp.MustCompile(`"\w+":`).FindAllString(shown, -1) {
		if !strings.Contains(out, field) {
			c.t.Errorf("%s: there is no %s in %s", command, field, out)
		}
	}
	for _, field := range []string{`"token":(\d+)`, `"beat":"(\d+)"`} {
		in, is := regexp.MustCompile(field).FindStringSubmatch(shown), regexp.MustCompile(field).FindStringSubmatch(out)
		if in != nil && is != nil {
			c.replaced = append(c.replaced, in[1], is[1])
		}
	}
}

func (c *console) endCandidates() {
	for _, stop := range c.stop {
		stop()
	}
	c.stop = nil
}

func (c *console) shell(line string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(c.t.Context(), 40*time.Second)
	c.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "bash", "-c", line)
	cmd.Dir, cmd.Env = c.dir, c.env
	return cmd
}

// begin starts what stays, waits until it has printed something, and returns what ends it.
func (c *console) begin(command, line string) (end func()) {
	c.t.Helper()
	cmd := c.shell("exec env " + line)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var printed output
	cmd.Stdout, cmd.Stderr = &printed, &printed
	if err := cmd.Start(); err != nil {
		c.t.Fatalf("%s: %v", command, err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	end = func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			c.t.Errorf("%s: it does not end\n%s", command, &printed)
		}
	}
	c.t.Cleanup(end)
	standby := regexp.MustCompile(`--node (node-)?b`).MatchString(line) // it does not lead, and prints nothing
	eventually(c.t, fmt.Sprintf("line of %s", command), func() bool {
		select {
		case <-ended:
			c.t.Fatalf("%s has ended: %v\n%s", command, cmd.ProcessState, &printed)
		default:
		}
		return standby || printed.String() != ""
	})
	return end
}
