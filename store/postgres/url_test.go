package postgres_test

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-a1d591d3/leadership/store"
)

func TestURLIsReadAsPostgresReadsIt(t *testing.T) {
	t.Setenv("PGPORT", "5433")
	t.Setenv("PGUSER", "of-env")
	passwords, services := filepath.Join(t.TempDir(), "pgpass"), filepath.Join(t.TempDir(), "services")
	for path, contents := range map[string]string{
		passwords: "h:5433:db:of-env:s3cret\n",
		services:  "[here]\nhost=of-service\nport=7\ndbname=its\ntarget_session_attrs=primary\n[acting]\nhost=h\nrole=other\n",
	} {
		if err := os.WriteFile(path, []byte(contents), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PGSERVICEFILE", services)
	for _, test := range []struct{ url, hosts, user, database string }{
		{"postgres://h/db", "h:5433", "of-env", "db"},
		{"postgres://@h:1/db", "h:1", "of-env", "db"},
		{"postgres://:pw@h:1/db", "h:1", "of-env", "db"},
		{"postgres://u@h1,h2:7/db", "h1:5432,h2:7", "u", "db"},
		{"postgres://h1,h2/db?port=7&user=u&password=p", "h1:7,h2:7", "u", "db"},
		{"postgres://u@%2Frun%2Fpostgresql:7/db", "/run/postgresql:7", "u", "db"},
		{"postgres://u@[::1]/db?channel_binding=disable&options=-cwork_mem%3D1MB", "[::1]:5433", "u", "db"},
		{"postgres:///db?host=h1,h2&port=1,2", "h1:1,h2:2", "of-env", "db"},
		{"postgres://h?dbname=db&sslsni=0&sslnegotiation=direct&sslmode=require&sslpassword=s3cret", "h:5433", "of-env", "db"},
		{"postgres://h/db?passfile=" + passwords, "h:5433", "of-env", "db"},
		{"postgres://h:1/db?options=-capp.role%3Dx%20--work-mem%3D1MB", "h:1", "of-env", "db"},
		{"postgres://?service=here", "of-service:7", "of-env", "its"},
	} {
		got, err := store.Resolve(test.url)
		if err != nil || got.Value("hosts") != test.hosts || got.Value("user") != test.user || got.Value("database") != test.database {
			t.Errorf("%s: %v, %v", test.url, got, err)
		}
	}
	for url, want := range map[string]string{
		"postgres://h:1/db?port=2":                "port of a host",
		"postgres://u@h/db?user=v":                "use one of them",
		"postgres://u:s3cret@h/db?password=p":     "use one of them",
		"postgres://h/db?channel_binding=always":  "channel_binding",
		"postgres://h/db?hostaddr=127.0.0.1":      "hostaddr",
		"postgres://h1:1/db,h2:2/db":              "comma",
		"postgres://h/db?dbname=other":            "use one of them",
		"postgres://h/db?passfile=/no/such/file":  "/no/such/file",
		"postgres://:s3cret@h/db?passfile=x":      "use one of them",
		"postgres://h/db?service=nowhere":         "nowhere",
		"postgres://h/db?ca=x&sslpassword=s3cret": "two ways",

		"postgres://h/db?options=-csearch_path%3Dx":       "search_path",
		"postgres://h/db?options=-c%20Search_Path%3Dx":    "search_path",
		"postgres://h/db?options=--SEARCH-PATH%3Dx":       "search_path",
		"postgres://h/db?options=-crole%3Dx":              "role",
		"postgres://h/db?options=-csession_authorization": "session_authorization",
		"postgres:///?service=acting":                     "role",
		"postgres://h/db?connect_timeout=0":               "connect_timeout",
		"postgres://h/db?prefix=a//b":                     "empty part",
		"postgres://h/db?prefix=a/../b":                   `the part ".."`,
	} {
		if _, err := store.Resolve(url); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v; want %q", url, err, want)
		}
	}
}

func TestVariablesWithoutEffectAreRefused(t *testing.T) {
	for name, value := range map[string]string{
		"PGHOSTADDR": "127.0.0.1", "PGSSLCRL": "/x", "PGGSSENCMODE": "require", "PGOPTIONS": "-c SEARCH_PATH=x", "PGCONNECT_TIMEOUT": "0",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			if _, err := store.Resolve("postgres://h/db"); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%v", err)
			}
		})
	}
	t.Setenv("PGGSSENCMODE", "disable")
	if _, err := store.Resolve("postgres://h/db"); err != nil {
		t.Error(err)
	}
}

// FuzzURL wants the targets of pgx, which reads a URL like PostgreSQL's own clients, or a
// refusal.
func FuzzURL(f *testing.F) {
	for _, rawURL := range []string{
		"postgres://u:p@h:1/db", "postgres://h1,h2:2/db?application_name=a", "postgresql://%2Frun/db?user=u", "postgres:///?host=a,b&port=1,2",
		"postgres://@h/a%2Cb", "postgres://[::1]:5/db?options=-ca%3Db", "postgres://u:p@q@h/db", "postgres://h/db?port=0",
	} {
		f.Add(rawURL)
	}
	f.Fuzz(func(t *testing.T, rawURL string) {
		if !strings.HasPrefix(rawURL, "postgres://") && !strings.HasPrefix(rawURL, "postgresql://") {
			return
		}
		got, err := store.Resolve(rawURL)
		if err != nil {
			return
		}
		before, query, _ := strings.Cut(rawURL, "?")
		params := slices.DeleteFunc(strings.Split(query, "&"), func(param string) bool {
			name, _, _ := strings.Cut(param, "=")
			name, _ = url.QueryUnescape(name)
			return slices.Contains(append(store.TLSParams(), "table", "prefix", "poll"), name)
		})
		config, err := pgxpool.ParseConfig(before + "?" + strings.Join(params, "&"))
		if err != nil && strings.Contains(err.Error(), "invalid userinfo") {
			return // libpq takes a password with such characters
		}
		if err != nil {
			t.Fatalf("%q is taken for %v; pgx refuses it: %v", rawURL, got, err)
		}
		want := config.ConnConfig
		last := net.JoinHostPort(want.Host, strconv.Itoa(int(want.Port)))
		hosts := []string{last}
		for _, f := range want.Fallbacks {
			if h := net.JoinHostPort(f.Host, strconv.Itoa(int(f.Port))); h != last {
				hosts, last = append(hosts, h), h
			}
		}
		if got.Value("hosts") != strings.Join(hosts, ",") || got.Value("user") != want.User || got.Value("database") != want.Database {
			t.Errorf("%v; want %v, %s, %s", got, hosts, want.User, want.Database)
		}
	})
}
