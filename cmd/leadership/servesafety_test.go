//go:build linux

package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-a1d591d3/leadership/internal/certs"
)

func TestServerAsksForTokens(t *testing.T) {
	t.Parallel()
	const reads, writes, fromEnv = "reader-0123456789", "writer-0123456789", "environ-0123456789"
	file := func(content string) string {
		path := filepath.Join(t.TempDir(), "tokens")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	s := serving(t, []string{"LEADERSHIP_WRITE_TOKEN=" + fromEnv}, "--store", sqliteURL(t), "--verbose",
		"--read-token-file", file(reads+"\n"), "--write-token-file", file("\n"+writes+"\r\n\n"))
	for _, c := range []struct {
		token         string
		looks, elects int
	}{{"", 401, 401}, {"nobody-0123456789", 401, 401}, {reads, 204, 403}, {writes, 204, 202}, {fromEnv, 200, 204}} {
		if status, _ := s.ask("GET", "/api/v1/elected/sys/r", "", "Authorization", "Bearer "+c.token); status != c.looks {
			t.Errorf("%q looks: %d", c.token, status)
		}
		if status, _ := s.ask("GET", "/api/v1/elect/sys/r", "", "Authorization", "Bearer "+c.token); status != c.elects {
			t.Errorf("%q elects: %d", c.token, status)
		}
	}
	s.want("GET", "/alive", 200, "")
	s.signal(syscall.SIGTERM)
	s.wait()
	for _, token := range []string{reads, writes, fromEnv} {
		if strings.Contains(s.out.String()+s.errs.String(), token) {
			t.Error("it prints a token")
		}
	}
	for _, content := range []string{"", "\n\n", "short\n", "two words-0123456789\n"} {
		path := file(content)
		code, _, errs := inProcess(t, "serve", "--store", "memory://", "--listen", "127.0.0.1:0", "--write-token-file", path)
		if code != exitUsage || !strings.Contains(errs, path) || strings.Contains(errs, "short") {
			t.Errorf("%q: exit code %d: %s", content, code, errs)
		}
	}
	if p := startWith(t, []string{"LEADERSHIP_READ_TOKEN="}, "serve", "--listen", "127.0.0.1:0"); p.wait() != exitUsage {
		t.Error("an empty variable leaves the service open")
	}
}

func TestServerAsksForClientCertificates(t *testing.T) {
	t.Parallel()
	authority, other := certs.New(t), certs.New(t)
	s := serving(t, nil, "--store", sqliteURL(t), "--tls-cert", authority.Cert, "--tls-key", authority.Key, "--tls-client-ca", authority.CA)
	with := func(ca, cert, key string) error {
		t.Helper()
		config, err := (&clientTLS{ca, cert, key}).load()
		if err != nil {
			t.Fatal(err)
		}
		response, err := clientWith(t, config).Get(s.url + "/api/v1/elected/sys/r")
		if err == nil {
			response.Body.Close()
			if response.StatusCode != http.StatusNoContent || response.ProtoMajor != 2 {
				t.Errorf("answered %s %s", response.Proto, response.Status)
			}
		}
		return err
	}
	if err := with(authority.CA, "", ""); err == nil {
		t.Error("a client without a certificate was served")
	}
	if err := with(authority.CA, other.ClientCert, other.ClientKey); err == nil {
		t.Error("a client of another authority was served")
	}
	if err := with(authority.CA, authority.ClientCert, authority.ClientKey); err != nil {
		t.Error(err)
	}
	tlsFlags := []string{"--tls-ca", authority.CA, "--tls-cert", authority.ClientCert, "--tls-key", authority.ClientKey}
	if code, _, errs := inProcess(t, append([]string{"alive", s.url}, tlsFlags...)...); code != 0 {
		t.Errorf("alive: exit code %d: %s", code, errs)
	}
	if code, _, _ := inProcess(t, "alive", s.url, "--tls-ca", authority.CA); code != exitNo {
		t.Errorf("alive without a certificate: exit code %d", code)
	}

	// Another authority takes over, while it serves.
	for from, to := range map[string]string{other.Cert: authority.Cert, other.Key: authority.Key, other.CA: authority.CA} {
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.signal(syscall.SIGHUP)
	eventually(t, "new certificates", func() bool { return with(other.CA, other.ClientCert, other.ClientKey) == nil })
	if err := with(other.CA, authority.ClientCert, authority.ClientKey); err == nil {
		t.Error("a client of the former authority was served")
	}
	s.signal(syscall.SIGTERM)
	if code := s.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestServerThatAnyoneReachesWarns(t *testing.T) {
	t.Parallel()
	for listen, warns := range map[string]bool{"127.0.0.1:0": false, "0.0.0.0:0": true} {
		s := serving(t, nil, "--store", sqliteURL(t), "--listen", listen)
		s.signal(syscall.SIGTERM)
		s.wait()
		if strings.Contains(s.errs.String(), "depose leaders") != warns {
			t.Errorf("on %s it prints %q", listen, s.errs.String())
		}
	}
}

func TestServerTellsWhatItServesWithoutSecrets(t *testing.T) {
	for address, want := range map[string]string{
		"redis://user:pass@word@host:6379/0?tls_key=x": "redis://host:6379/0",
		"etcd://user:pw@h1:2379,h2:2379/prefix":        "etcd://h1:2379,h2:2379/prefix",
		"sqlite:///var/lib/elections.db":               "sqlite:///var/lib/elections.db",
		"postgres://host/db?password=secret":           "postgres://host/db",
		"password":                                     "store",
	} {
		if got := withoutSecrets(address); got != want {
			t.Errorf("%s: %s", address, got)
		}
	}
}

// TestServerTakesNewTokensWhileItServes: no request is served without a token in between,
// even while the file is missing, or empty.
func TestServerTakesNewTokensWhileItServes(t *testing.T) {
	t.Parallel()
	const first, second = "first-0123456789abc", "second-0123456789ab"
	path := filepath.Join(t.TempDir(), "tokens")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(first)
	s := serving(t, nil, "--store", sqliteURL(t), "--write-token-file", path)
	want := func(token string, status int) {
		t.Helper()
		if got, _ := s.ask("GET", "/api/v1/elected/sys/r", "", "Authorization", "Bearer "+token); got != status {
			t.Errorf("with %q: %d, want %d", token, got, status)
		}
	}
	want(first, 204)
	want(second, 401)
	write(first + "\n" + second)
	want(first, 204)
	want(second, 204)
	write(second)
	want(first, 401)
	want(second, 204)

	for _, broken := range []func(){func() { write("") }, func() { write("short") }, func() { _ = os.Remove(path) }} {
		broken()
		want("", 401)
		want("short", 401)
		want(first, 401)
		want(second, 204)
	}
	s.signal(syscall.SIGHUP)
	eventually(t, "word of it in the log", func() bool { return strings.Contains(s.errs.String(), path) })
	write(first)
	want(first, 204)
	want(second, 401)
	s.signal(syscall.SIGTERM)
	if code := s.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if strings.Contains(s.errs.String(), "0123456789") {
		t.Errorf("it prints a token: %s", s.errs.String())
	}
}
