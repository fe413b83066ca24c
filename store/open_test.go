package store_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/certs"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// opened is what the driver of these tests was given last, and what it does.
var (
	opened *store.URL
	do     func(ctx context.Context, u *store.URL) (store.Store, error)
)

func init() {
	open := func(ctx context.Context, u *store.URL) (store.Store, error) {
		opened = u
		if do != nil {
			return do(ctx, u)
		}
		return memory.New(), nil
	}
	params := append(store.TLSParams(), "token", "token_file", "wait", "fast")
	store.Register("test", store.Driver{Port: 1234, Params: params, Open: open})
	store.Register("tests", store.Driver{Port: 1234, Params: params, Open: open})
	store.Register("test-found", store.Driver{Port: 1234, Hostless: true, Open: open})
	store.Register("test-file", store.Driver{Open: open})
}

// open opens rawURL by a driver that does f.
func open(t *testing.T, rawURL string, f func(ctx context.Context, u *store.URL) (store.Store, error)) (store.Store, error) {
	t.Helper()
	opened, do = nil, f
	kv, err := store.Open(t.Context(), rawURL)
	if err == nil {
		t.Cleanup(func() { kv.Close() })
	}
	return kv, err
}

func TestURLIsTakenApart(t *testing.T) {
	for _, test := range []struct {
		url, user, password, path, prefix, shown string
		hosts                                    []string
	}{
		{url: "test://h", hosts: []string{"h:1234"}, shown: "test://h/"},
		{url: "TEST://h:1/", hosts: []string{"h:1"}, shown: "test://h:1/"},
		{
			url: "test://a:1,b,[::1]:3,[::2]/some/prefix/", path: "some/prefix/", prefix: "some/prefix/",
			hosts: []string{"a:1", "b:1234", "[::1]:3", "[::2]:1234"},
			shown: "test://a:1,b:1234,[::1]:3,[::2]:1234/some/prefix/",
		},
		{
			url: "test://u%40x:p%3A%2F%40%25@h/a%20b?token=t%26t&fast=1", user: "u@x", password: "p:/@%", path: "a b", prefix: "a b/",
			hosts: []string{"h:1234"}, shown: "test://u%40x:xxxxx@h/a%20b?fast=1&token=xxxxx",
		},
		{url: "test://:pa%40ss@h", password: "pa@ss", hosts: []string{"h:1234"}, shown: "test://:xxxxx@h/"},
		{url: "test-found:///p", path: "p", prefix: "p/", shown: "test-found:///p"},
		{url: "test-file:///var/x.db", path: "var/x.db", prefix: "var/x.db/", shown: "test-file:///var/x.db"},
		{url: "test-file://name", hosts: []string{"name"}, shown: "test-file://name/"},
	} {
		t.Run(test.url, func(t *testing.T) {
			if _, err := open(t, test.url, nil); err != nil {
				t.Fatal(err)
			}
			u := opened
			if u.User != test.user || u.Password != test.password || u.Path != test.path || u.Prefix() != test.prefix || !slices.Equal(u.Hosts, test.hosts) {
				t.Errorf("user %q, password %q, path %q, prefix %q, hosts %q", u.User, u.Password, u.Path, u.Prefix(), u.Hosts)
			}
			if u.String() != test.shown {
				t.Errorf("it is shown as %s, want %s", u, test.shown)
			}
		})
	}
}

func TestBadURLIsRefusedByName(t *testing.T) {
	for _, test := range []struct {
		url  string
		want []string
	}{
		{"", []string{"no scheme", "test"}},
		{"h:1234", []string{"no scheme"}},
		{`"test://h"`, []string{"quotation mark"}},
		{"'test://h'", []string{"quotation mark"}},
		{"://h", []string{"no scheme"}},
		{"nosuch://h", []string{`unknown scheme "nosuch"`, "known are memory, test"}},
		{"rediss+cluster://h", []string{`scheme "rediss+cluster" is not registered`, `import _ "github.com/seed-a1d591d3/leadership/store/redis"`}},
		{"postgresql://h", []string{`scheme "postgresql" is not registered`, `import _ "github.com/seed-a1d591d3/leadership/store/postgres"`}},
		{"test://", []string{"no host"}},
		{"test:///prefix", []string{"no host"}},
		{"test://u:secret@", []string{"no host"}},
		{"test://h:0", []string{`"0"`, "1 to 65535"}},
		{"test://h:65536", []string{`"65536"`, "1 to 65535"}},
		{"test://h:http", []string{`host "h"`, "1 to 65535"}},
		{"test://h:", []string{`""`, "1 to 65535"}},
		{"test://a,,b", []string{`host ""`}},
		{"test://a:1:2", []string{`host "a:..."`}},
		{"test://h h", []string{"blank", "%20"}},
		{"test://[::1", []string{`host "[:...`}},
		{"test://h/%zz", []string{"path", "%"}},
		{"test://u:secret%zz@h", []string{"user or password", "%25"}},
		{"test://h?nosuch=1", []string{`unknown parameter "nosuch"`, "known are ca, cert"}},
		{"test://h?fast=1&fast=2", []string{`"fast"`, "2 times"}},
		{"test://h?token=secret;x", []string{"name=value"}},
		{"test://h?token=secret%zz", []string{"name=value"}},
		{"test://h/#secret", []string{"fragment", "%23"}},
		{"test://user:secret/x@h", []string{"@", "%2F"}},
		{"test://secret/x@h", []string{"@", "%2F"}},
		{"test://user:a:secret/x@h", []string{"@", "%2F"}},
		{"test://user:hunter?secret@h", []string{"@", "%3F"}},
		{"test://user:p@secret/x@h", []string{"@", "%2F"}},
		{"test://user:p@secret?x@h", []string{"@", "%3F"}},
	} {
		t.Run(test.url, func(t *testing.T) {
			_, err := open(t, test.url, nil)
			wantError(t, err, test.want...)
		})
	}
}

// wantError wants an error that has all of parts in it, and no secret.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v: want it to say %s", err, part)
		}
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("%v: it shows the secret", err)
	}
}

func TestSecretsAreTakenOutOfErrors(t *testing.T) {
	t.Setenv("LEADERSHIP_TEST_TOKEN", `a"secret"`)
	cause := errors.New("the cause")
	_, err := open(t, "test://user:secret%2F1@h", func(_ context.Context, u *store.URL) (store.Store, error) {
		if token := u.Setting("token", "LEADERSHIP_TEST_TOKEN"); token != `a"secret"` {
			t.Errorf("the token is %s", token)
		}
		u.Hide("third-secret")
		return nil, fmt.Errorf("login %s %q %s %q: %w", u.Password, u.Password, "third-secret", u.Setting("token", "LEADERSHIP_TEST_TOKEN"), cause)
	})
	wantError(t, err, "open test://user:xxxxx@h/", "login xxxxx")
	if !errors.Is(err, cause) {
		t.Errorf("%v is not its cause", err)
	}
	for err := err; err != nil; err = errors.Unwrap(err) {
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("unwrapped it shows the secret: %v", err)
		}
	}
}

func TestOpenEndsInTimeThoughTheDriverHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		late := memory.New()
		began := time.Now()
		_, err := open(t, "test://h", func(context.Context, *store.URL) (store.Store, error) {
			<-hang
			return late, nil
		})
		wantError(t, err, "test://h/")
		if !errors.Is(err, store.ErrNotReachable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v: want ErrNotReachable and DeadlineExceeded", err)
		}
		if took := time.Since(began); took >= store.OpenTimeout {
			t.Errorf("it took %v", took)
		}
		close(hang)
		synctest.Wait()
		if _, err := late.Get(t.Context(), "key", nil); !errors.Is(err, store.ErrClosed) {
			t.Errorf("%v: a store that was opened too late is not closed", err)
		}
	})
}

func TestOpenEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened, do = nil, func(ctx context.Context, _ *store.URL) (store.Store, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		_, err := store.Open(ctx, "test://h")
		if took := time.Since(began); !errors.Is(err, context.Canceled) || took != time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

func TestOpenThatWasCancelledSaysSoWhateverTheClientSays(t *testing.T) {
	opened, do = nil, func(context.Context, *store.URL) (store.Store, error) { return nil, errors.New("operation was cut") }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.Open(ctx, "test://h"); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "operation was cut") {
		t.Error(err)
	}
}

func TestRegisterRefusesMistakes(t *testing.T) {
	valid := store.Driver{Open: func(context.Context, *store.URL) (store.Store, error) { return nil, nil }}
	for scheme, d := range map[string]store.Driver{"": valid, "Upper": valid, "test": valid, "test-empty": {}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("scheme %q is accepted", scheme)
				}
			}()
			store.Register(scheme, d)
		}()
	}
	if !slices.Contains(store.Schemes(), "test-file") {
		t.Errorf("schemes: %v", store.Schemes())
	}
}

func TestSettingsAreChecked(t *testing.T) {
	t.Setenv("LEADERSHIP_TEST_FAST", "perhaps")
	if _, err := open(t, "test://h?wait=50ms", nil); err != nil {
		t.Fatal(err)
	}
	if d, err := opened.Duration("wait", time.Second); err != nil || d != 50*time.Millisecond {
		t.Errorf("%v, %v", d, err)
	}
	if fast, err := opened.Bool("fast"); err != nil || fast {
		t.Errorf("%v, %v", fast, err)
	}
	_, err := opened.Bool("fast", "LEADERSHIP_TEST_NONE", "LEADERSHIP_TEST_FAST")
	wantError(t, err, "$LEADERSHIP_TEST_FAST", `"perhaps"`)

	if _, err := open(t, "test://h?wait=-1s&fast=yes", nil); err != nil {
		t.Fatal(err)
	}
	_, err = opened.Duration("wait", time.Second)
	wantError(t, err, `"wait"`, `"-1s"`)
	_, err = opened.Bool("fast")
	wantError(t, err, `"fast"`, `"yes"`)
}

func TestTLSIsAskedForByParametersAndEnvironment(t *testing.T) {
	a := certs.New(t)
	env := store.TLSEnv{CA: "LEADERSHIP_TEST_CA", Cert: "LEADERSHIP_TEST_CERT", Key: "LEADERSHIP_TEST_KEY", ServerName: "LEADERSHIP_TEST_NAME"}
	config := func(t *testing.T, url string) (*tls.Config, error) {
		t.Helper()
		if _, err := open(t, url, nil); err != nil {
			t.Fatal(err)
		}
		secure, err := opened.TLS(env, strings.HasPrefix(url, "tests://"))
		if err != nil {
			return nil, err
		}
		return secure.Config()
	}
	for _, url := range []string{"test://h", "test://h?tls=false"} {
		if c, err := config(t, url); c != nil || err != nil {
			t.Errorf("%s: %v, %v", url, c, err)
		}
	}
	for _, url := range []string{"tests://h", "test://h?tls=true"} {
		if c, err := config(t, url); err != nil || c == nil || c.RootCAs != nil || c.Certificates != nil {
			t.Errorf("%s: %v, %v", url, c, err)
		}
	}
	full := "test://h?ca=" + a.CA + "&cert=" + a.ClientCert + "&key=" + a.ClientKey + "&server_name=" + certs.ServerName
	check := func(c *tls.Config, err error) {
		t.Helper()
		if err != nil || c == nil || c.RootCAs == nil || len(c.Certificates) != 1 || c.ServerName != certs.ServerName {
			t.Errorf("%+v, %v", c, err)
		}
	}
	check(config(t, full))

	missing := filepath.Join(t.TempDir(), "missing.pem")
	for url, want := range map[string][]string{
		"test://h?ca=" + missing:                            {`"ca"`, missing, "no such file"},
		"test://h?ca=" + a.Key:                              {`"ca"`, a.Key, "no certificate"},
		"test://h?cert=" + a.ClientCert:                     {`"cert"`, `"key" is not`},
		"test://h?key=" + a.ClientKey:                       {`"key"`, `"cert" is not`},
		"test://h?cert=" + missing + "&key=" + a.ClientKey:  {`"cert"`, missing, "no such file"},
		"test://h?cert=" + a.ClientCert + "&key=" + missing: {`"key"`, missing, "no such file"},
		"test://h?cert=" + a.ClientCert + "&key=" + a.Key:   {a.ClientCert, a.Key, "private key"},
		"test://h?tls=perhaps":                              {`"tls"`, `"perhaps"`},
		"test://h?tls=false&ca=" + a.CA:                     {`"tls" is false`},
		"tests://h?tls=false":                               {`"tls" is false`, "tests://"},
	} {
		_, err := config(t, url)
		wantError(t, err, want...)
	}

	t.Setenv(env.CA, a.CA)
	t.Setenv(env.Cert, a.ClientCert)
	t.Setenv(env.Key, a.ClientKey)
	t.Setenv(env.ServerName, certs.ServerName)
	check(config(t, "test://h"))
	if c, err := config(t, "test://h?tls=false"); c != nil || err != nil {
		t.Errorf("tls=false does not overrule the environment: %v, %v", c, err)
	}
	t.Setenv(env.CA, missing)
	_, err := config(t, "test://h")
	wantError(t, err, "$LEADERSHIP_TEST_CA", missing)
}
