//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// demoing runs the demo here until the end of the test, and returns what it
// prints.
func demoing(t *testing.T, args ...string) (next func() demoLine, end func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- execute(ctx, append([]string{"demo", "--json"}, args...), nil, write, io.Discard, nil)
		_ = write.Close()
	}()
	lines := bufio.NewScanner(read)
	next = func() (l demoLine) {
		t.Helper()
		if !lines.Scan() {
			t.Fatal("no more lines")
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Errorf("%s: %v", lines.Text(), err)
		}
		return l
	}
	return next, func() int {
		cancel()
		for lines.Scan() {
			continue
		}
		return <-done
	}
}

func TestDemoShowsALeaderAndItsPageWithin3Seconds(t *testing.T) {
	began := time.Now()
	next, end := demoing(t, "--listen", "127.0.0.1:0")
	first := next()
	if first.Event != "serving" || first.URL == "" {
		t.Fatalf("got %+v", first)
	}
	leader := next()
	for path, want := range map[string]string{"/": "<html", "/api/v1/elections/demo%2Fleader": `"` + leader.Node + `"`} {
		response, err := clientWith(t, nil).Get(first.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || leader.Event != "leader" || !strings.Contains(string(body), want) {
			t.Errorf("%+v; %s: %s: %s, %v", leader, path, response.Status, body, err)
		}
	}
	took := time.Since(began)
	if took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
	t.Logf("a leader is elected and served after %v", took)
	if code := end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestDemoHasEverythingHappen(t *testing.T) {
	next, end := demoing(t, "--listen", "127.0.0.1:0", "--ttl", "300ms", "--every", "100ms")
	seen := make(map[string]int)
	for seen["resign"] == 0 || seen["cut off"] == 0 || seen["lost"] == 0 || seen["healed"] == 0 || seen["transfer"] == 0 ||
		seen["round"] < 4 || seen["leader"] < 4 {
		seen[next().Event]++
	}
	if code := end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestDemoTakesAnotherPortUnlessItIsToldOne(t *testing.T) {
	taken, err := net.Listen("tcp", defaultListen)
	if err == nil { // otherwise the port is taken
		defer taken.Close()
	}
	next, end := demoing(t)
	if l := next(); l.URL == "" || strings.HasSuffix(l.URL, ":8080") {
		t.Errorf("got %+v", l)
	}
	end()
	if code, _, errs := inProcess(t, "demo", "--listen", defaultListen); code != exitFailure || !strings.Contains(errs, "--listen") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}

func TestDemoIsReadable(t *testing.T) {
	p := start(t, "demo", "--listen", "127.0.0.1:0")
	eventually(t, "leader", func() bool { return strings.Contains(p.out.String(), "leads, with token") })
	p.signal(syscall.SIGINT)
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	out := p.out.String()
	for _, want := range []string{"http://127.0.0.1:", "Ctrl-C ends it", "All candidates have ended"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Error("it has colours in a pipe")
	}
}
