package consul_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/seed-a1d591d3/leadership/internal/certs"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/consul"
)

// openURL opens a store, which the test closes.
func openURL(t *testing.T, rawURL string) (store.Store, error) {
	t.Helper()
	began := time.Now()
	kv, err := store.Open(t.Context(), rawURL)
	if took := time.Since(began); took > store.OpenTimeout {
		t.Errorf("Open took %v", took)
	}
	if err == nil {
		t.Cleanup(func() { kv.Close() })
	}
	return kv, err
}

// wantOpen opens a store and writes to it.
func wantOpen(t *testing.T, rawURL string) {
	t.Helper()
	kv, err := openURL(t, rawURL)
	if err != nil {
		t.Fatal(err)
	}
	pair := put(t, kv, "opened", "x", nil)
	if _, err := kv.AtomicDelete(t.Context(), "opened", pair); err != nil {
		t.Error(err)
	}
}

// wantRefused wants an error that has all of the words, and none of the secrets.
func wantRefused(t *testing.T, rawURL string, words []string, secrets ...string) {
	t.Helper()
	_, err := openURL(t, rawURL)
	if err == nil {
		t.Fatal("no error")
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%v; want it to say %q", err, word)
		}
	}
	for _, secret := range secrets {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows %q: %v", secret, err)
		}
	}
}

func TestOpenPutsThePathBeforeKeys(t *testing.T) {
	plain, client := open(t)
	addr := servers.Shared(t, "consul").Addr
	for rawURL, stored := range map[string]string{
		"consul://" + addr:                 "opens",
		"consul://" + addr + "/app":        "app/opens",
		"consul://" + addr + "/app/a%20b/": "app/a b/opens",
	} {
		kv, err := openURL(t, rawURL)
		if err != nil {
			t.Fatal(err)
		}
		pair := put(t, kv, "opens", rawURL, nil)
		if found, _, err := client.KV().Get(stored, nil); err != nil || found == nil || string(found.Value) != rawURL {
			t.Errorf("%s: %q is %+v, %v", rawURL, stored, found, err)
		}
		if pair.Key != "opens" {
			t.Errorf("%s: wrote %+v", rawURL, pair)
		}
		if err := kv.Close(); err != nil {
			t.Error(err)
		}
		_, err = kv.Get(t.Context(), "opens", nil)
		wantErr(t, err, store.ErrClosed)
	}
	if _, err := plain.Get(t.Context(), "opens", nil); err != nil {
		t.Errorf("a store that is open: %v", err)
	}
}

func TestOpenFindsTheAgentInTheEnvironment(t *testing.T) {
	addr := servers.Shared(t, "consul").Addr
	for _, env := range []string{addr, "http://" + addr, "unix://" + unixSocketOf(t, addr)} {
		t.Setenv("CONSUL_HTTP_ADDR", env)
		wantOpen(t, "consul:///env")
	}
	t.Setenv("CONSUL_HTTP_ADDR", "127.0.0.1:1")
	wantOpen(t, "consul://"+addr+"/env")
	wantRefused(t, "consul://", []string{"127.0.0.1:1", "refused"})
	t.Setenv("CONSUL_HTTP_ADDR", "http://"+addr+"/")
	wantOpen(t, "consul:///env")
	for address, words := range map[string][]string{
		addr + "/app":                    {`"app"`, "http://"},
		"http://user:hidden-p@" + addr:   {"CONSUL_HTTP_AUTH"},
		addr + " ":                       {"CONSUL_HTTP_ADDR"},
		"https://" + addr + ",127.0.0.1": {"CONSUL_HTTP_ADDR"},
	} {
		t.Setenv("CONSUL_HTTP_ADDR", address)
		wantRefused(t, "consul:///env", words, "hidden-p")
	}
	t.Setenv("CONSUL_HTTP_ADDR", "https://"+addr)
	for variable, value := range map[string]string{"CONSUL_CAPATH": "/etc/ssl/certs", "CONSUL_HTTP_SSL_VERIFY": "false"} {
		t.Setenv(variable, value)
		wantRefused(t, "consul:///env", []string{variable, "ca"})
		wantOpen(t, "consul://"+addr+"/env?tls=false")
		t.Setenv(variable, "")
	}
	t.Setenv("CONSUL_HTTP_ADDR", "ftp://"+addr)
	wantRefused(t, "consul://", []string{"ftp"})
}

// unixSocketOf returns a socket on which the agent at addr is.
func unixSocketOf(t *testing.T, addr string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "http.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	reverse := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: addr})
	reverse.Transport = &http.Transport{DisableKeepAlives: true}
	proxy := httptest.NewUnstartedServer(reverse)
	proxy.Listener.Close()
	proxy.Listener = listener
	proxy.Start()
	t.Cleanup(proxy.Close)
	return path
}

func TestOpenRefusesWhatIsWrong(t *testing.T) {
	addr := servers.Shared(t, "consul").Addr
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for rawURL, words := range map[string][]string{
		"consul://" + addr + "?cluster=x":                   {`"cluster"`, "token"},
		"consul://127.0.0.1:port":                           {"port"},
		"consul://hidden-t@" + addr:                         {"parameter token"},
		"consul://:hidden-t@" + addr:                        {"parameter token"},
		"consul://" + addr + "/a,127.0.0.1:8500/b":          {"comma"},
		"consul://" + addr + "?namespace=x":                 {"Enterprise"},
		"consul://" + addr + "?partition=x":                 {"Enterprise"},
		"consul://a,b:8501/x":                               {"2 hosts", "one"},
		"consul://" + addr + "?tls=maybe":                   {`"tls"`, "maybe"},
		"consul://" + addr + "?ca=/no/such.pem":             {`"ca"`, "/no/such.pem"},
		"consul://" + addr + "?cert=/no/such.pem":           {`"cert"`, `"key"`},
		"consul://" + addr + "?tls=true":                    {"HTTPS"},
		"consul://" + addr + "?datacenter=nowhere":          {"nowhere"},
		"consul://127.0.0.1:1?token=hidden-t":               {"127.0.0.1:1", "refused", store.ErrNotReachable.Error()},
		"consul://no-such-host.invalid:8500":                {"no-such-host.invalid", store.ErrNotReachable.Error()},
		"consul://u:hidden-p@" + silent.Addr().String():     {store.ErrNotReachable.Error()},
		"consul://" + silent.Addr().String() + "?tls=true":  {store.ErrNotReachable.Error()},
		"consul://hidden-u:hidden-p@" + addr + "?token=%zz": {"%25"},
	} {
		t.Run(rawURL, func(t *testing.T) {
			t.Parallel()
			wantRefused(t, rawURL, words, "hidden-t", "hidden-p")
		})
	}
}

func TestOpenRefusesAnEnvironmentThatIsWrong(t *testing.T) {
	addr := servers.Shared(t, "consul").Addr
	for name, value := range map[string]string{
		"CONSUL_HTTP_TOKEN_FILE": "/no/such/token",
		"CONSUL_CACERT":          "/no/such.pem",
		"CONSUL_CLIENT_CERT":     "/no/such.pem",
		"CONSUL_HTTP_SSL":        "maybe",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			wantRefused(t, "consul://"+addr, []string{name})
		})
	}
	t.Setenv("CONSUL_CACERT", "/no/such.pem")
	wantOpen(t, "consul://"+addr+"/env?tls=false")
}

// TestOpenAsksWithWhatItIsGiven checks the request that arrives.
func TestOpenAsksWithWhatItIsGiven(t *testing.T) {
	var seen *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r
		w.WriteHeader(http.StatusNotFound)
	}))
	defer server.Close()
	addr := server.Listener.Addr().String()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("of-a-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, url, file     string
		token, user, dc, ns string
		password            string
	}{
		{name: "environment", url: "consul://" + addr, token: "of-env", user: "env", password: "p:w", ns: "of-env"},
		{name: "file", url: "consul://" + addr, file: file, token: "of-a-file", user: "env", password: "p:w", ns: "of-env"},
		{
			name: "URL", url: "consul://url:a%2Fb@" + addr + "/app?token=of-url&datacenter=dc2&namespace=ns2", file: "/no/such/token",
			token: "of-url", user: "url", password: "a/b", dc: "dc2", ns: "ns2",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("CONSUL_HTTP_TOKEN", "of-env")
			t.Setenv("CONSUL_HTTP_TOKEN_FILE", c.file)
			t.Setenv("CONSUL_HTTP_AUTH", "env:p:w")
			t.Setenv("CONSUL_NAMESPACE", "of-env")
			if _, err := openURL(t, c.url); err != nil {
				t.Fatal(err)
			}
			user, password, _ := seen.BasicAuth()
			query := seen.URL.Query()
			if token := seen.Header.Get("X-Consul-Token"); token != c.token || user != c.user || password != c.password ||
				query.Get("dc") != c.dc || query.Get("ns") != c.ns || !query.Has("consistent") {
				t.Errorf("it asked %s as %q with %q and token %q", seen.URL, user, password, token)
			}
		})
	}
}

func TestTokenDoesNotFollowARedirection(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("it asked another server, with token %q", r.Header.Get("X-Consul-Token"))
	}))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	wantRefused(t, "consul://"+server.Listener.Addr().String()+"?token=hidden", []string{"307"}, "hidden")
}

func TestSecure(t *testing.T) {
	server := servers.Secure(t, "consul")
	secret := server.Secret
	wrong := certs.New(t)
	values := func(ca, cert, key, token string, more ...string) string {
		v := url.Values{}
		for name, value := range map[string]string{"ca": ca, "cert": cert, "key": key, "token": token} {
			if value != "" {
				v.Set(name, value)
			}
		}
		for i := 0; i < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return "?" + v.Encode()
	}
	good := values(secret.CA, secret.ClientCert, secret.ClientKey, secret.Password)
	base := "consul://" + server.Addr + "/" + secret.User

	t.Run("right by URL", func(t *testing.T) {
		wantOpen(t, base+good)
		wantOpen(t, base+good+"&server_name="+certs.ServerName)
		wantOpen(t, base+"/deeper"+good)
	})
	t.Run("right by environment", func(t *testing.T) {
		t.Setenv("CONSUL_HTTP_ADDR", "https://"+server.Addr)
		t.Setenv("CONSUL_HTTP_TOKEN", secret.Password)
		t.Setenv("CONSUL_CACERT", secret.CA)
		t.Setenv("CONSUL_CLIENT_CERT", secret.ClientCert)
		t.Setenv("CONSUL_CLIENT_KEY", secret.ClientKey)
		t.Setenv("CONSUL_TLS_SERVER_NAME", certs.ServerName)
		wantOpen(t, "consul:///"+secret.User)
		wantOpen(t, base)
		t.Setenv("CONSUL_HTTP_TOKEN", "00000000-0000-4000-8000-000000000000")
		wantRefused(t, base, []string{"token", "ACL not found"}, "00000000-0000-4000-8000-000000000000")
		wantOpen(t, base+"?token="+secret.Password)
		t.Setenv("CONSUL_TLS_SERVER_NAME", "other.test")
		wantRefused(t, base, []string{"other.test"})
	})
	const wrongToken = "5ec2e7aa-0000-4000-8000-000000000000"
	for name, c := range map[string]struct {
		url   string
		words []string
	}{
		"no authority":          {base + values("", secret.ClientCert, secret.ClientKey, secret.Password), []string{"unknown authority"}},
		"another authority":     {base + values(wrong.CA, secret.ClientCert, secret.ClientKey, secret.Password), []string{"x509"}},
		"another server's name": {base + good + "&server_name=other.test", []string{"other.test"}},
		"no certificate":        {base + values(secret.CA, "", "", secret.Password), []string{`"cert"`, "certificate"}},
		"another's certificate": {base + values(secret.CA, wrong.ClientCert, wrong.ClientKey, secret.Password), []string{"tls"}},
		"wrong token":           {base + values(secret.CA, secret.ClientCert, secret.ClientKey, wrongToken), []string{"token", "ACL not found"}},
		"no token":              {base + values(secret.CA, secret.ClientCert, secret.ClientKey, ""), []string{"anonymous token", "key:read"}},
		"keys of others":        {"consul://" + server.Addr + "/other" + good, []string{"Permission denied", "other/"}},
		"no prefix":             {"consul://" + server.Addr + good, []string{"Permission denied", "leadership"}},
		"plain":                 {base + "?token=" + secret.Password, []string{"HTTP request to an HTTPS server"}},
	} {
		t.Run(name, func(t *testing.T) { wantRefused(t, c.url, c.words, secret.Password, wrongToken) })
	}

	t.Run("a write that is not allowed is no refusal by the key", func(t *testing.T) {
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		client, err := api.NewClient(&api.Config{
			Address: server.Addr, Scheme: "https", Token: secret.Password, Transport: transport,
			TLSConfig: api.TLSConfig{CAFile: secret.CA, CertFile: secret.ClientCert, KeyFile: secret.ClientKey},
		})
		if err != nil {
			t.Fatal(err)
		}
		var kv store.Store = consul.New(client)
		defer kv.Close()
		put(t, kv, secret.User+"/of-a-client", "x", nil)
		for _, previous := range []*store.KVPair{nil, {Key: "other/a", LastIndex: 7}} {
			_, _, err := kv.AtomicPut(t.Context(), "other/a", nil, previous, nil)
			if err == nil || !strings.Contains(err.Error(), "Permission denied") ||
				errors.Is(err, store.ErrKeyExists) || errors.Is(err, store.ErrKeyModified) || errors.Is(err, store.ErrKeyNotFound) {
				t.Errorf("AtomicPut: %v", err)
			}
		}
	})
}
