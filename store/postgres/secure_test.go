package postgres_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-a1d591d3/leadership/internal/certs"
	"github.com/seed-a1d591d3/leadership/internal/servers"
)

// secured returns the URL of a server that wants TLS and a login, with
// parameters as names and values.
func secured(user, password, hosts string, params ...string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(user, password), Host: hosts, Path: "/postgres"}
	return at(u.String(), "", params...)
}

func TestSecureServerByURL(t *testing.T) {
	server := servers.Secure(t, "postgres")
	s, other, app := server.Secret, certs.New(t), server.Secret.User
	name := "no-such.test"
	for _, test := range []struct {
		what, user, password string
		params               []string
		want                 string // empty where it works
	}{
		{"all right", app, s.Password, []string{"ca", s.CA, "cert", s.ClientCert, "key", s.ClientKey}, ""},
		{"all right, by name", app, s.Password, []string{"ca", s.CA, "cert", s.ClientCert, "key", s.ClientKey, "server_name", certs.ServerName}, ""},
		{"all right, as PostgreSQL says it", app, s.Password, []string{"sslmode", "verify-full", "sslrootcert", s.CA, "sslcert", s.ClientCert, "sslkey", s.ClientKey}, ""},
		{"no CA", app, s.Password, []string{"tls", "true", "cert", s.ClientCert, "key", s.ClientKey}, "unknown authority"},
		{"wrong CA", app, s.Password, []string{"ca", other.CA, "cert", s.ClientCert, "key", s.ClientKey}, "unknown authority"},
		{"wrong name", app, s.Password, []string{"ca", s.CA, "cert", s.ClientCert, "key", s.ClientKey, "server_name", name}, name},
		{"no certificate", app, s.Password, []string{"ca", s.CA}, "requires a valid client certificate"},
		{"certificate of another authority", app, s.Password, []string{"ca", s.CA, "cert", other.ClientCert, "key", other.ClientKey}, "failed to connect"}, // the reason may come, or be cut off
		{"wrong password", app, "s3cret", []string{"ca", s.CA, "cert", s.ClientCert, "key", s.ClientKey}, "password authentication failed for user \"app\""},
		{"no password", app, "", []string{"ca", s.CA, "cert", s.ClientCert, "key", s.ClientKey}, "password"},
		{"no TLS", app, s.Password, []string{"tls", "false"}, "no encryption"},
		{"no TLS, as PostgreSQL says it", app, s.Password, []string{"sslmode", "disable"}, "no encryption"},
		{"nothing said", app, s.Password, nil, "requires a valid client certificate"},
	} {
		t.Run(test.what, func(t *testing.T) {
			rawURL := secured(test.user, test.password, server.Addr, test.params...)
			if test.want == "" {
				wantOpen(t, rawURL)
				return
			}
			_, err := openStore(t, rawURL)
			wantText(t, err, test.want, "open postgres://app")
		})
	}
}

func TestSecureServerByTheEnvironment(t *testing.T) {
	server := servers.Secure(t, "postgres")
	s, other := server.Secret, certs.New(t)
	right := map[string]string{
		"PGUSER": s.User, "PGPASSWORD": s.Password, "PGSSLMODE": "verify-full",
		"PGSSLROOTCERT": s.CA, "PGSSLCERT": s.ClientCert, "PGSSLKEY": s.ClientKey,
	}
	passfile := filepath.Join(t.TempDir(), "passfile")
	for _, test := range []struct {
		what, variable, value, query, want string
	}{
		{"all right", "", "", "", ""},
		{"all right, and TLS by the URL", "PGSSLMODE", "disable", "?tls=true", ""},
		{"password from a file", "PGPASSWORD", "", "", ""},
		{"no CA", "PGSSLROOTCERT", "", "", "unknown authority"},
		{"system's CA", "PGSSLROOTCERT", "system", "?tls=true", "unknown authority"},
		{"wrong CA", "PGSSLROOTCERT", other.CA, "", "unknown authority"},
		{"wrong CA, and TLS by the URL", "PGSSLROOTCERT", other.CA, "?tls=true", "unknown authority"},
		{"missing CA", "PGSSLROOTCERT", "/no/such", "", "/no/such"},
		{"no TLS", "PGSSLMODE", "disable", "", "no encryption"},
		{"wrong password", "PGPASSWORD", "s3cret", "", "password authentication failed"},
		{"wrong user", "PGUSER", "nosuch", "", "password authentication failed for user \"nosuch\""},
	} {
		t.Run(test.what, func(t *testing.T) {
			for variable, value := range right {
				t.Setenv(variable, value)
			}
			if test.variable != "" {
				t.Setenv(test.variable, test.value)
			}
			if test.variable == "PGPASSWORD" && test.value == "" {
				line := fmt.Sprintf("*:*:*:%s:%s\n", s.User, `s3cret/of\:the@app%`)
				if err := os.WriteFile(passfile, []byte(line), 0o600); err != nil {
					t.Fatal(err)
				}
				t.Setenv("PGPASSFILE", passfile)
			}
			rawURL := "postgres://" + server.Addr + "/postgres" + test.query
			if test.want == "" {
				wantOpen(t, rawURL)
				return
			}
			_, err := openStore(t, rawURL)
			wantText(t, err, test.want)
		})
	}
}
