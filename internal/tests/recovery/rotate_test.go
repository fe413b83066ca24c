package recovery

import (
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	_ "github.com/seed-a1d591d3/leadership/store/all"
)

func TestMain(m *testing.M) { os.Exit(servers.VerifyMain(m, nil)) }

// secured are the stores that have a server with TLS and a login.
var secured = []string{"etcd", "consul", "zookeeper", "redis", "postgres"}

// urlOf returns the URL of a server with a Secret. The values go before those that it
// needs; "" takes one away.
func urlOf(s *servers.Server, kind string, values map[string]string) string {
	u := url.URL{Scheme: kind, Host: s.Addr, Path: "/" + s.Secret.User}
	query := url.Values{"ca": {s.Secret.CA}, "cert": {s.Secret.ClientCert}, "key": {s.Secret.ClientKey}}
	u.User = url.UserPassword(s.Secret.User, s.Secret.Password)
	switch kind {
	case "consul":
		u.User = nil
		query.Set("token", s.Secret.Password)
	case "redis":
		u.Path = ""
		query.Set("prefix", "service/")
	case "postgres":
		u.Path = "/postgres"
	}
	for name, value := range values {
		query.Del(name)
		if value != "" {
			query.Set(name, value)
		}
	}
	if query.Has("password_file") || query.Has("passfile") {
		u.User = url.User(s.Secret.User)
	}
	u.RawQuery = query.Encode()
	return u.String()
}

func opener(rawURL string) func(t testing.TB) store.Store {
	return func(t testing.TB) store.Store {
		t.Helper()
		kv, err := store.Open(t.Context(), rawURL)
		if err != nil {
			t.Fatal(err)
		}
		return kv
	}
}

// TestNewAuthorityIsTakenOver: all certificates are replaced, and the former
// authority is trusted no more, on either side.
func TestNewAuthorityIsTakenOver(t *testing.T) {
	for _, kind := range secured {
		t.Run(kind, func(t *testing.T) {
			server := servers.Secure(t, kind)
			electiontest.Recovers(t, opener(urlOf(server, kind, nil)), server.Rotate)
		})
	}
}

// TestNewAuthorityOfPostgreSQLsOwnParameters: pgx reads these files.
func TestNewAuthorityOfPostgreSQLsOwnParameters(t *testing.T) {
	server := servers.Secure(t, "postgres")
	s := server.Secret
	electiontest.Recovers(t, opener(urlOf(server, "postgres", map[string]string{
		"ca": "", "cert": "", "key": "",
		"sslmode": "verify-full", "sslrootcert": s.CA, "sslcert": s.ClientCert, "sslkey": s.ClientKey,
	})), server.Rotate)
}

// TestRenewedCertificateIsShown: a client's certificate is renewed while it is good,
// and the connections break after it has expired.
func TestRenewedCertificateIsShown(t *testing.T) {
	for _, kind := range secured {
		t.Run(kind, func(t *testing.T) {
			const lifetime = 5 * time.Second
			server := servers.Secure(t, kind)
			server.Secret.RenewClient(t, lifetime)
			expires := time.Now().Add(lifetime)
			electiontest.Recovers(t, opener(urlOf(server, kind, nil)), func() {
				server.Secret.RenewClient(t, time.Hour)
				time.Sleep(time.Until(expires.Add(time.Second)))
				server.Restart()
			})
		})
	}
}
