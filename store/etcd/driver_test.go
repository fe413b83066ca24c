package etcd_test

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/certs"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

// address makes a URL, with parameters as names and values.
func address(user, password, hosts, path string, params ...string) string {
	u := url.URL{Scheme: "etcd", Host: hosts, Path: path}
	if user != "" || password != "" {
		u.User = url.UserPassword(user, password)
	}
	query := url.Values{}
	for i := 0; i < len(params); i += 2 {
		query.Set(params[i], params[i+1])
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// check opens a store and uses it, if want is empty, and else wants an error
// that says want and no secret, in time.
func check(t *testing.T, rawURL, want string) {
	t.Helper()
	began := time.Now()
	kv, err := store.Open(t.Context(), rawURL)
	if took := time.Since(began); took > store.OpenTimeout {
		t.Errorf("it took %v", took)
	}
	if err == nil {
		defer kv.Close()
	}
	switch {
	case want == "" && err != nil:
		t.Error(err)
	case want == "":
		if _, _, err := kv.AtomicPut(t.Context(), newKey(t), []byte("a"), nil, nil); err != nil {
			t.Error(err)
		}
	case err == nil:
		t.Errorf("it opens; want an error with %q", want)
	case !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret"):
		t.Errorf("%v; want %q, and no secret", err, want)
	}
}

func TestOpenByURL(t *testing.T) {
	addr := servers.Shared(t, "etcd").Addr
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ what, url, want string }{
		{"a server", address("", "", addr, ""), ""},
		{"a prefix", address("", "", addr, "/some/prefix/"), ""},
		{"one of two is there", address("", "", "127.0.0.1:1,"+addr, ""), ""},
		{"a login that nobody asks for", address("app", "s3cret", addr, ""), ""},
		{"nobody there", address("", "", "127.0.0.1:1", ""), "connection refused"},
		{"no such host", address("", "", "nosuch.invalid", ""), "nosuch.invalid"},
		{"TLS to a server without", address("", "", addr, "", "tls", "true"), "may be without TLS"},
		{"no password", address("app", "", addr, ""), `user "app" has no password`},
		{"no user", address("", "s3cret", addr, ""), "no user"},
		{"no user, and a file", address("", "", addr, "", "password_file", file), "no user"},
		{"a password, and a file", address("app", "s3cret", addr, "", "password_file", file), "use one of them"},
		{"unknown parameter", address("", "", addr, "", "nosuch", "1"), `"nosuch"`},
		{"bad port", "etcd://h:0", `"0"`},
		{"missing file", address("", "", addr, "", "ca", "/no/such"), "/no/such"},
		{"no host", "etcd:///prefix", "$ETCDCTL_ENDPOINTS"},
	} {
		t.Run(test.what, func(t *testing.T) { check(t, test.url, test.want) })
	}
	for list, want := range map[string]string{
		"ftp://" + addr: "another scheme", "http://" + addr + "/app": "more than a host", "http://u:s3cret@" + addr: "more than a host",
		"http://" + addr + ",127.0.0.1:s3cret": "1 to 65535",
	} {
		t.Setenv("ETCDCTL_ENDPOINTS", list)
		check(t, "etcd:///env", want)
	}
	t.Setenv("ETCDCTL_DISCOVERY_SRV", "example.com")
	check(t, "etcd:///env", "$ETCDCTL_DISCOVERY_SRV")
	check(t, address("", "", addr, "/env"), "")
	t.Setenv("ETCDCTL_DISCOVERY_SRV", "")
	for what, list := range map[string]string{
		"trailing slashes and blanks": " http://127.0.0.1:1/ , http://" + addr + "// ", "etcdctl's endpoint": addr, "etcdctl's endpoints": "http://127.0.0.1:1,http://" + addr,
	} {
		t.Run(what, func(t *testing.T) {
			t.Setenv("ETCDCTL_ENDPOINTS", list)
			check(t, "etcd:///env", "")
		})
	}
}

// TestOpenOfAFrozenServerEndsInTime: connections can be made, but nothing is answered.
func TestOpenOfAFrozenServerEndsInTime(t *testing.T) {
	server := servers.New(t, "etcd")
	server.Freeze()
	check(t, address("", "", server.Addr, ""), store.ErrNotReachable.Error()+": "+server.Addr+" did not answer")
}

func TestOpenEndsWithItsContext(t *testing.T) {
	server := servers.New(t, "etcd")
	server.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	for _, u := range []string{address("", "", server.Addr, ""), address("app", "s3cret", server.Addr, "")} {
		if kv, err := store.Open(ctx, u); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, %v", kv, err)
		}
	}
}

func TestPrefixIsThePathOfTheURL(t *testing.T) {
	addr := servers.Shared(t, "etcd").Addr
	kv, err := store.Open(t.Context(), address("", "", addr, "/team/app"))
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Close()
	key := newKey(t)
	if _, _, err := kv.AtomicPut(t.Context(), key, []byte("a"), nil, nil); err != nil {
		t.Fatal(err)
	}
	client := newClient(t, addr)
	defer client.Close()
	if found, err := client.Get(t.Context(), "team/app/"+key); err != nil || len(found.Kvs) != 1 {
		t.Errorf("beneath: %v, %v", found, err)
	}
}

func TestSecureServerByURL(t *testing.T) {
	server := servers.Secure(t, "etcd")
	s, other, app := server.Secret, certs.New(t), server.Secret.User
	full := []string{"ca", s.CA, "cert", s.ClientCert, "key", s.ClientKey}
	named := func(name string) []string { return append(full[:6:6], "server_name", name) }
	for _, test := range []struct {
		what, user, password, path string
		params                     []string
		want                       string // empty where it works
	}{
		{"all right", app, s.Password, app, full, ""},
		{"all right, by name", app, s.Password, app, named(certs.ServerName), ""},
		{"wrong name", app, s.Password, app, named("nosuch.test"), "nosuch.test"},
		{"no CA", app, s.Password, app, []string{"tls", "true", "cert", s.ClientCert, "key", s.ClientKey}, "unknown authority"},
		{"wrong CA", app, s.Password, app, []string{"ca", other.CA, "cert", s.ClientCert, "key", s.ClientKey}, "unknown authority"},
		{"no certificate", app, s.Password, app, []string{"ca", s.CA}, "remote error: tls"},
		{"certificate of another authority", app, s.Password, app, []string{"ca", s.CA, "cert", other.ClientCert, "key", other.ClientKey}, "remote error: tls"},
		{"no TLS", app, s.Password, app, nil, "requires TLS"},
		{"wrong password", app, "s3cret", app, full, "authentication failed"},
		{"wrong user", "nosuch", s.Password, app, full, "authentication failed"},
		{"no login", "", "", app, full, "permission denied"},
		{"no rights", app, s.Password, "other", full, `may not read key "other/"`},
		{"no rights on all", app, s.Password, "", full, "may not read key"},
	} {
		t.Run(test.what, func(t *testing.T) {
			check(t, address(test.user, test.password, server.Addr, test.path, test.params...), test.want)
		})
	}
}

func TestSecureServerByTheEnvironment(t *testing.T) {
	server := servers.Secure(t, "etcd")
	s, other := server.Secret, certs.New(t)
	missing := filepath.Join(t.TempDir(), "missing.pem")
	for _, test := range []struct{ what, variable, value, want string }{
		{"all right", "", "", ""},
		{"user and password in one", "ETCDCTL_USER", s.User + ":" + s.Password, ""},
		{"no CA", "ETCDCTL_CACERT", "", "unknown authority"},
		{"wrong CA", "ETCDCTL_CACERT", other.CA, "unknown authority"},
		{"missing CA", "ETCDCTL_CACERT", missing, missing},
		{"key of another certificate", "ETCDCTL_KEY", other.ClientKey, "private key"},
		{"wrong password", "ETCDCTL_PASSWORD", "s3cret", "authentication failed"},
		{"no password", "ETCDCTL_PASSWORD", "", "has no password"},
		{"no login", "ETCDCTL_USER", "", "permission denied"},
		{"no TLS", "ETCDCTL_ENDPOINTS", "http://" + server.Addr, "write https://"},
		{"two endpoints that differ", "ETCDCTL_ENDPOINTS", "https://" + server.Addr + ",http://127.0.0.1:1", "some endpoints are https"},
		{"blanks and slashes", "ETCDCTL_ENDPOINTS", " https://127.0.0.1:1/ , https://" + server.Addr + "/ ,", ""},
		{"no check of certificates", "ETCDCTL_INSECURE_SKIP_TLS_VERIFY", "true", "$ETCDCTL_INSECURE_SKIP_TLS_VERIFY"},
		{"a token", "ETCDCTL_AUTH_JWT_TOKEN", "s3cret", "$ETCDCTL_AUTH_JWT_TOKEN"},
	} {
		t.Run(test.what, func(t *testing.T) {
			for variable, value := range map[string]string{
				"ETCDCTL_ENDPOINTS": "https://" + server.Addr, "ETCDCTL_USER": s.User, "ETCDCTL_PASSWORD": s.Password,
				"ETCDCTL_CACERT": s.CA, "ETCDCTL_CERT": s.ClientCert, "ETCDCTL_KEY": s.ClientKey,
			} {
				t.Setenv(variable, value)
			}
			if test.variable != "" {
				t.Setenv(test.variable, test.value)
			}
			if test.variable == "ETCDCTL_USER" && test.value != "" {
				t.Setenv("ETCDCTL_PASSWORD", "") // else all of it would be the user
			}
			check(t, "etcd:///"+s.User, test.want)
		})
	}
}

// TestSecureLoginIsRenewed: on this server a login expires a second after its last use,
// and so does that of a stream of watches. At the end the server is killed.
func TestSecureLoginIsRenewed(t *testing.T) {
	server := servers.Secure(t, "etcd")
	s := server.Secret
	kv, err := store.Open(t.Context(), address(s.User, s.Password, server.Addr, s.User, "ca", s.CA, "cert", s.ClientCert, "key", s.ClientKey))
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var watches []<-chan *store.KVPair
	var pair *store.KVPair
	for n := range 4 {
		switch n {
		case 1, 2:
			time.Sleep(2500 * time.Millisecond)
		case 3:
			server.Restart()
		}
		w, err := kv.Watch(ctx, "key", nil)
		if err != nil {
			t.Fatal(err)
		}
		watches = append(watches, w)
		if _, pair, err = kv.AtomicPut(ctx, "key", []byte("a"), pair, nil); err != nil {
			t.Fatal(err)
		}
		for i, w := range watches {
			for told := new(store.KVPair); told.LastIndex != pair.LastIndex; {
				var open bool
				if told, open = <-w; !open {
					t.Fatalf("watch %d of %d is closed", i, len(watches))
				}
			}
		}
	}
}
