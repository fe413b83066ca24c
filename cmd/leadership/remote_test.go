//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/certs"
	"github.com/seed-a1d591d3/leadership/internal/view"
)

const testToken = "0123456789abcdef-write"

// withServer starts a server with a token, on a store, and returns a function that runs
// command lines which reach that server and no store.
func withServer(t *testing.T, store string) (server string, run func(args ...string) (code int, stdout, stderr string), environ []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(testToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serving(t, nil, "--store", store, "--write-token-file", file)
	environ = []string{"LEADERSHIP_SERVER=" + s.url, "LEADERSHIP_WRITE_TOKEN_FILE=" + file}
	return s.url, func(args ...string) (int, string, string) {
		t.Helper()
		var out, errs bytes.Buffer
		code := execute(t.Context(), args, strings.NewReader(""), &out, &errs, environ)
		return code, out.String(), errs.String()
	}, environ
}

func TestStatusAndRequestsByAServer(t *testing.T) {
	t.Parallel()
	store := sqliteURL(t)
	a := lead(t, store, "a", leadership.WithPayload([]byte("10.0.0.1:80")))
	eventually(t, "leader a", a.IsLeader)
	b := lead(t, store, "b")
	_, run, _ := withServer(t, store)
	do := func(want int, says string, args ...string) string {
		t.Helper()
		code, out, errs := run(args...)
		if code != want || !strings.Contains(out+errs, says) {
			t.Errorf("%v: exit code %d: %s%s; want %d, %q", args, code, out, errs, want, says)
		}
		return out
	}
	var e view.Election
	if err := json.Unmarshal([]byte(do(0, "", "status", key, "--json")), &e); err != nil {
		t.Fatal(err)
	}
	if term, _ := a.Term(); e.Key != key || e.Leader != "a" || e.Token != term.Token || e.TTL != leadTTL.Milliseconds() || !e.Since.Equal(term.Since) || e.Payload == nil || *e.Payload != "10.0.0.1:80" {
		t.Errorf("got %+v", e)
	}
	do(0, "a ", "status")
	do(0, "a ", "status", key, "--check") // it sees renewals
	do(0, "no election is recorded under keys that begin with other/", "status", "--prefix", "other/")
	do(exitNo, "check the key for a typo", "status", "typo")
	do(0, "b leads "+key, "transfer", key, "--to", "b")
	if !b.IsLeader() {
		t.Error("b does not lead")
	}
	do(exitFailure, `" leads, term`, "transfer", key, "--to", "nobody", "--hold", "100ms")
	eventually(t, "leader", func() bool { return a.IsLeader() || b.IsLeader() })
	do(0, "has left the seat", "resign", key)
	eventually(t, "leader", func() bool { return a.IsLeader() || b.IsLeader() })
	do(exitNo, "the seat is held", "forget", key)
	do(0, "is paused", "pause", key, "--by", "olga")
	do(exitNo, "pause by olga", "status", key)
	do(exitFailure, "election paused: resume it first", "resign", key)
	do(0, key+" is not paused", "resume", key)
	do(exitFailure, "no such election: check the key for a typo", "resign", "typo")
	do(0, "new is paused", "pause", "new", "--create")
	do(0, "", "resume", "new")
	do(exitNo, "no leader", "resign", "new")
	do(0, "is forgotten", "forget", "new")
	do(exitFailure, "no such election", "forget", "new")
	do(exitUsage, "--timeout is 2m: must be from 1s to 1m with a server", "resign", key, "--timeout", "2m")
	do(exitUsage, "--local is of no use with a server", "pause", key, "--create", "--local")
}

func TestFollowByAServer(t *testing.T) {
	t.Parallel()
	store := sqliteURL(t)
	server, _, environ := withServer(t, store)
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	front := httptest.NewServer(proxy)
	t.Cleanup(func() {
		front.CloseClientConnections() // Close waits for streams
		front.Close()
	})
	c := lead(t, store, "a")
	for _, args := range [][]string{{key}, {"--prefix", "service/"}} {
		out, errs, end := following(t, environ, nil, append(args, "--server", front.URL)...)
		eventually(t, "leader", func() bool { return strings.Contains(out.String(), key+": a leads, token ") })
		front.CloseClientConnections()
		before := strings.Count(out.String(), "\n")
		c.Resign()
		eventually(t, "the change, in a new stream", func() bool {
			return strings.Contains(out.String(), "; the last term: a, resigned") && strings.Count(out.String(), "\n") > before
		})
		if code := end(); code != 0 || errs.String() != "" {
			t.Errorf("exit code %d: %s", code, errs.String())
		}
	}
	out, errs, end := following(t, environ, nil, "--server", front.URL, key)
	eventually(t, "leader", func() bool { return strings.Contains(out.String(), "a leads, token ") })
	_ = front.Listener.Close()
	front.CloseClientConnections()
	eventually(t, "doubt", func() bool {
		return strings.Contains(out.String(), "it is not known who leads") && strings.Contains(errs.String(), "the stream has ended")
	})
	if code := end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestServerThatDoesNotAnswerIsAnErrorThatNamesIt(t *testing.T) {
	t.Parallel()
	_, run, _ := withServer(t, sqliteURL(t))
	authority := certs.New(t)
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	short := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(short, []byte("0123456789abcdef-other"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		code int
		want string
		args string
	}{
		{exitFailure, "--server: no answer from http://127.0.0.1:1: dial tcp", "status --server http://127.0.0.1:1"},
		{exitFailure, "no answer from http://127.0.0.1:1", "follow k --server http://127.0.0.1:1"},
		{exitFailure, "no answer from http://127.0.0.1:1", "resign k --server http://127.0.0.1:1"},
		{exitFailure, "is that a leadership serve?", "status --server " + other.URL},
		{exitFailure, "is that a leadership serve?", "follow k --server " + other.URL},
		{exitFailure, "a valid bearer token is needed: name one by --token-file", "status --token-file " + short},
		{exitUsage, "--token-file: open nosuch: ", "status --token-file nosuch"},
		{exitUsage, `--server is "10.0.0.7:8080": must be the URL of a leadership serve, such as http://`, "status --server 10.0.0.7:8080"},
		{exitUsage, "--server and --store are both set", "status --server http://127.0.0.1:1 --store redis://127.0.0.1:1"},
		{exitUsage, "are of no use for http://", "status --server http://127.0.0.1:1 --tls-ca " + authority.CA},
		{exitUsage, "are of no use without --server", "status --store redis://127.0.0.1:1 --token-file " + short},
		{exitUsage, "takes a token", "status --server http://user:pass@127.0.0.1:1"},
	} {
		if code, out, errs := run(strings.Fields(c.args)...); code != c.code || !strings.Contains(errs, c.want) || out != "" {
			t.Errorf("%s: exit code %d: %s%s; want %d, %q", c.args, code, out, errs, c.code, c.want)
		}
	}
	var errs bytes.Buffer
	both := []string{"LEADERSHIP_SERVER=http://127.0.0.1:1", "LEADERSHIP_STORE=redis://127.0.0.1:1"}
	if code := execute(t.Context(), []string{"status"}, nil, &errs, &errs, both); code != exitUsage || !strings.Contains(errs.String(), "LEADERSHIP_SERVER and LEADERSHIP_STORE are both set: choose by --server or --store") {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
}

func TestStatusBelievesAServerThatALeaderHasCrashed(t *testing.T) {
	t.Parallel()
	answer := `{"key":"k","leader":"a","token":5,"ttl_ms":60000,"expired":true,"beat":"18446744073709551615"}`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }))
	t.Cleanup(s.Close)
	began := time.Now()
	for _, args := range []string{"status k", "status k --check"} {
		if code, out, errs := inProcess(t, append(strings.Fields(args), "--server", s.URL)...); code != exitNo || !strings.Contains(out, "a (expired)") {
			t.Errorf("%s: exit code %d: %s%s", args, code, out, errs)
		}
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}
