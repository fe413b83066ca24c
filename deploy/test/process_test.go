package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// buffer is what a process prints. It is safe for concurrent use.
type buffer struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}

// process is one that runs.
type process struct {
	cmd       *exec.Cmd
	out, errs buffer
	ended     chan struct{}
}

// start starts a command with that environment, and no more than PATH beside it; the end
// of the test kills it.
func start(t *testing.T, argv, environ []string, change ...func(*exec.Cmd)) *process {
	t.Helper()
	p := &process{cmd: exec.CommandContext(context.WithoutCancel(t.Context()), argv[0], argv[1:]...), ended: make(chan struct{})}
	p.cmd.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, environ...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.errs
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.WaitDelay = 5 * time.Second
	for _, f := range change {
		f(p.cmd)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // the exit code is looked at where it matters
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("%v:\n%s%s", argv, p.out.String(), p.errs.String())
		}
	})
	return p
}

// end sends a signal, and returns the exit code that there has to be within the
// patience of the sender.
func (p *process) end(t *testing.T, sig syscall.Signal, patience time.Duration) int {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Error(err)
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Errorf("%v has not ended %v after %v", p.cmd.Args, patience, sig)
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	return p.cmd.ProcessState.ExitCode()
}

// run runs a command to its end.
func run(t *testing.T, argv, environ []string, change ...func(*exec.Cmd)) (int, string) {
	t.Helper()
	p := start(t, argv, environ, change...)
	<-p.ended
	return p.cmd.ProcessState.ExitCode(), p.out.String() + p.errs.String()
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("there is no %s", what)
		}
	}
}

// freePort returns an address of the loopback interface that nobody listens on,
// and is not asked for again: below those that the kernel gives to clients.
func freePort(t *testing.T) string {
	t.Helper()
	for range 1000 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(18000+rand.IntN(12000)))
		if _, given := ports.LoadOrStore(address, true); given {
			continue
		}
		if l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("there is no free port")
	return ""
}

// ports are those that were given to a test.
var ports sync.Map

// get asks for a URL, and returns the status and the body; 0 where nobody
// answers.
func get(t *testing.T, url, token string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	response, err := client.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(body)
}

// replace returns texts with some parts replaced, each of which has to be there.
func replace(t *testing.T, texts []string, pairs ...string) []string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(strings.Join(texts, "\n"), pairs[i]) {
			t.Errorf("%q has no %q in it", texts, pairs[i])
		}
	}
	replacer := strings.NewReplacer(pairs...)
	texts = slices.Clone(texts)
	for i := range texts {
		texts[i] = replacer.Replace(texts[i])
	}
	return texts
}

var variable = regexp.MustCompile(`\bLEADERSHIP_[A-Z_]+`)

// accepted checks that leadership has such a command, with those flags, and reads
// those variables of the environment.
func accepted(t *testing.T, args, environ []string) {
	t.Helper()
	if err := accepts(t, args, environ); err != nil {
		t.Errorf("leadership %q: %v", args, err)
	}
}

func accepts(t *testing.T, args, environ []string) error {
	t.Helper()
	asked := slices.Clone(args)
	at := slices.Index(asked, "--")
	if at < 0 {
		at = len(asked)
	}
	code, help := run(t, append([]string{program}, slices.Insert(asked, at, "--help")...), nil)
	if code != 0 || !strings.Contains(help, "\n  leadership "+args[0]) {
		return errors.New(help) // root's own help, where there is no such command
	}
	_, general := run(t, []string{program, "--help"}, nil)
	for _, e := range environ {
		if name := variable.FindString(e); name != "" && !regexp.MustCompile(name+`\b`).MatchString(help+general) {
			return fmt.Errorf("no word of %s in its help", name)
		}
	}
	return nil
}

func TestFlagsAndVariablesThatAreNotThereAreNoticed(t *testing.T) {
	for _, c := range []struct{ args, environ []string }{
		{[]string{"serve", "--nosuch"}, nil},
		{[]string{"nosuch"}, nil},
		{[]string{"serve", "--timeout=soon"}, nil},
		{[]string{"run", "--nosuch", "--", "true"}, nil},
		{[]string{"serve"}, []string{"LEADERSHIP_NOSUCH=1"}},
		{[]string{"serve"}, []string{"LEADERSHIP_STOR=1"}},
	} {
		if accepts(t, c.args, c.environ) == nil {
			t.Errorf("%q with %q is accepted", c.args, c.environ)
		}
	}
}

func seconds(t *testing.T, text string) int64 {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Error(err)
	}
	return int64(d.Seconds())
}
