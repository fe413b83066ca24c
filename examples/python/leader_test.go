// Package python tests the client for Python against leadership serve.
package python

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/servers"
)

const (
	path     = "/api/v1/elections/service%2Fleader"
	patience = time.Minute
)

// program is leadership.
var program string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	folder, err := os.MkdirTemp("", "leadership-python-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	program = filepath.Join(folder, "leadership")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = filepath.Join("..", "..", "cmd", "leadership")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %v: %s", build, err, out)
		return 1
	}
	return servers.Main(m)
}

// start starts a program, which the end of the test kills, and returns what it
// prints to stdout.
func start(t *testing.T, name string, args ...string) (*exec.Cmd, io.Reader) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it may have been waited for
		if t.Failed() {
			t.Logf("%s: %s", name, errs.String())
		}
	})
	return cmd, out
}

// serve starts n servers on one store.
func serve(t *testing.T, n int) (all []*exec.Cmd, urls []string) {
	t.Helper()
	store := fmt.Sprintf("redis://%s/0?prefix=%s/", servers.Shared(t, "redis").Addr, t.Name())
	for range n {
		cmd, out := start(t, program, "serve", "--listen", "127.0.0.1:0", "--json", "--store", store)
		var said struct{ URL string }
		if err := json.NewDecoder(out).Decode(&said); err != nil {
			t.Fatal(err)
		}
		all, urls = append(all, cmd), append(urls, said.URL)
	}
	return all, urls
}

// client starts leader.py, which runs a shell script while it leads.
func client(t *testing.T, url, node, ttl, script string) *exec.Cmd {
	t.Helper()
	cmd, _ := start(t, "python3", "leader.py", "--url", url, "--key", "service/leader", "--node", node, "--ttl", ttl, "--", "sh", "-c", script)
	return cmd
}

// journal is a file that scripts write lines to.
type journal string

// script is one that writes a line every 10 ms, and does not end at SIGTERM.
func (j journal) script(line string) string {
	return fmt.Sprintf(`trap "" TERM; while :; do echo "%s" >>%s; sleep 0.01; done`, line, j)
}

func (j journal) lines(t *testing.T) (all []string) {
	t.Helper()
	content, err := os.ReadFile(string(j))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(content)); lines.Scan(); {
		all = append(all, lines.Text())
	}
	return all
}

func (j journal) await(t *testing.T, begin string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		for _, line := range j.lines(t) {
			if strings.HasPrefix(line, begin) {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatalf("nobody writes %q", begin)
		}
	}
}

// count is how many lines begin with that.
func (j journal) count(t *testing.T, begin string) (n int) {
	t.Helper()
	for _, line := range j.lines(t) {
		if strings.HasPrefix(line, begin) {
			n++
		}
	}
	return n
}

// order checks that nothing of first comes after second has begun.
func (j journal) order(t *testing.T, first, second string) {
	t.Helper()
	begun := false
	for _, line := range j.lines(t) {
		begun = begun || strings.HasPrefix(line, second)
		if begun && strings.HasPrefix(line, first) {
			t.Errorf("%q goes on after %q has begun", first, second)
			return
		}
	}
}

func TestClientThatIsCutOffStopsBeforeAnotherLeads(t *testing.T) {
	t.Parallel()
	all, urls := serve(t, 2)
	j := journal(filepath.Join(t.TempDir(), "journal"))
	client(t, urls[0], "a", "1", j.script("a $LEADERSHIP_TOKEN"))
	j.await(t, "a ")
	client(t, urls[1], "b", "1", j.script("b $LEADERSHIP_TOKEN"))
	// Its server takes requests, and does not answer.
	if err := all[0].Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	j.await(t, "b ")
	was := j.count(t, "b ")
	for end := time.Now().Add(patience); j.count(t, "b ") < was+20; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("b does not go on")
		}
	}
	j.order(t, "a ", "b ")
	// It comes back, and is not to lead again by what it hears then.
	if err := all[0].Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	was = j.count(t, "b ")
	for end := time.Now().Add(patience); j.count(t, "b ") < was+50; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("b does not go on")
		}
	}
	j.order(t, "a ", "b ")
}

func TestClientThatIsStoppedOrAskedToGoHandsOver(t *testing.T) {
	t.Parallel()
	_, urls := serve(t, 1)
	j := journal(filepath.Join(t.TempDir(), "journal"))
	a := client(t, urls[0], "a", "3", j.script("a"))
	j.await(t, "a")
	b := client(t, urls[0], "b", "3", j.script("b"))
	if err := a.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	j.await(t, "b")
	j.order(t, "a", "b")
	if reason := last(t, urls[0]); reason != "a resigned" {
		t.Errorf("the last term ended so: %q", reason)
	}
	if err := a.Wait(); err != nil {
		t.Error(err)
	}
	client(t, urls[0], "c", "3", j.script("c"))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, urls[0]+path+"/requests", strings.NewReader(`{"action": "transfer", "to": "c", "wait": "60s"}`))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	j.await(t, "c")
	j.order(t, "b", "c")
	if reason := last(t, urls[0]); reason != "b transferred" {
		t.Errorf("the last term ended so: %q", reason)
	}
	if b.ProcessState != nil {
		t.Error("b has ended")
	}
}

func TestClientExitsWithTheCodeOfItsCommand(t *testing.T) {
	t.Parallel()
	_, urls := serve(t, 1)
	err := client(t, urls[0], "a", "1", "exit 7").Wait()
	if err == nil || err.Error() != "exit status 7" {
		t.Errorf("got %v", err)
	}
	if reason := last(t, urls[0]); reason != "a resigned" {
		t.Errorf("the last term ended so: %q", reason)
	}
}

// last tells how the last term ended.
func last(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var told struct {
		Last struct{ Leader, Reason string }
	}
	if err := json.NewDecoder(response.Body).Decode(&told); err != nil {
		t.Fatal(err)
	}
	return told.Last.Leader + " " + told.Last.Reason
}

// hanging is a server of claims that does not answer those that come within a while
// after the first renewal, and never will.
func hanging(t *testing.T, ttl, hang time.Duration, status int) (url string, renewed func() int) {
	t.Helper()
	var mu sync.Mutex
	var until time.Time
	claims, after := 0, 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/claim") {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		mu.Lock()
		claims++
		if claims == 2 {
			until = time.Now().Add(hang)
		}
		silent := time.Now().Before(until)
		if !silent && claims > 2 {
			after++
		}
		mu.Unlock()
		switch {
		case silent && status == 0:
			_, _ = io.Copy(io.Discard, r.Body) // so that its end is noticed
			<-r.Context().Done()
		case silent:
			http.Error(w, `{"error":"not now"}`, status)
		default:
			fmt.Fprintf(w, `{"leader":"a","token":7,"trust_ms":%d}`, (ttl * 4 / 5).Milliseconds())
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, func() int {
		mu.Lock()
		defer mu.Unlock()
		return after
	}
}

func TestClientLeadsOnThroughAShortOutageOfItsServer(t *testing.T) {
	t.Parallel()
	const ttl = 4 * time.Second
	for name, c := range map[string]struct {
		hang   time.Duration
		status int
	}{
		"no answer":               {ttl * 35 / 100, 0},
		"500":                     {ttl * 40 / 100, 500},
		"a token that is refused": {ttl * 30 / 100, 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, renewed := hanging(t, ttl, c.hang, c.status)
			j := journal(filepath.Join(t.TempDir(), "journal"))
			start(t, "python3", "-c", fmt.Sprintf(`
import leader, time
def work(term):
    with open(%q, "a") as journal: journal.write("begun\n")
    while term.leads(): time.sleep(0.01)
leader.Election([%q], "k", "a", ttl=4.0).run(work)`, string(j), url))
			for end := time.Now().Add(patience); renewed() < 2; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("it does not renew")
				}
			}
			if n := j.count(t, "begun"); n != 1 {
				t.Errorf("%d terms, want 1", n)
			}
		})
	}
}

func TestClientReadsItsTokenAgain(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var told []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		told = append(told, r.Header.Get("Authorization"))
		mu.Unlock()
		fmt.Fprint(w, `{"leader":"a","token":7,"trust_ms":240}`)
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	start(t, "env", "LEADERSHIP_WRITE_TOKEN_FILE="+file, "python3", "leader.py", "--url", server.URL, "--key", "k", "--ttl", "0.3", "--", "sleep", "60")
	for _, token := range []string{"one", "two"} {
		write(token)
		for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			mu.Lock()
			found := slices.Contains(told, "Bearer "+token)
			mu.Unlock()
			if found {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("it never says %q", token)
			}
		}
	}
}
