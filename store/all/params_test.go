package all_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed-a1d591d3/leadership/store"
)

// effects say of each parameter how it is known to have an effect: by a value that is
// refused, by what it changes of the target, or by a test that shows it with a server.
var effects = map[string]struct{ bad, with, target, test string }{
	"tls":           {bad: "maybe"},
	"ca":            {bad: "/no/such"},
	"cert":          {bad: "/no/such"},
	"key":           {bad: "/no/such"},
	"server_name":   {bad: "x", with: "&tls=false"},
	"poll":          {bad: "often"},
	"compact":       {bad: "often"},
	"pool_size":     {bad: "none"},
	"replicas":      {bad: "many"},
	"db":            {target: "database"},
	"prefix":        {target: "prefix"},
	"password_file": {bad: "/no/such"},
	"token_file":    {bad: "/no/such"},
	"token":         {test: "store/consul/driver_test.go TestOpenAsksWithWhatItIsGiven"},
	"datacenter":    {target: "datacenter"},
	"namespace":     {target: "namespace"},
	"partition":     {target: "partition"},

	"sentinel_user":     {bad: "without-a-password"},
	"sentinel_password": {test: "store/redis/open_test.go TestSentinelsAreToldTheirPassword"},

	"sslmode":              {bad: "maybe"},
	"sslrootcert":          {bad: "/no/such"},
	"sslcert":              {bad: "/no/such"},
	"sslkey":               {bad: "/no/such"},
	"sslpassword":          {test: "store/postgres/params_test.go TestParametersHaveTheirEffect"},
	"sslsni":               {test: "store/postgres/params_test.go TestParametersHaveTheirEffect"},
	"sslnegotiation":       {bad: "maybe"},
	"channel_binding":      {bad: "maybe"},
	"require_auth":         {bad: "maybe"},
	"target_session_attrs": {bad: "maybe"},
	"connect_timeout":      {bad: "often"},
	"pool_max_conns":       {bad: "many"},
	"service":              {bad: "nosuch"},
	"passfile":             {bad: "/no/such"},
	"table":                {target: "table"},
	"host":                 {target: "hosts"},
	"port":                 {target: "hosts"},
	"user":                 {target: "user"},
	"dbname":               {target: "database"},
	"password":             {test: "store/postgres/params_test.go TestParametersHaveTheirEffect"},
	"application_name":     {test: "store/postgres/params_test.go TestParametersHaveTheirEffect"},
	"options":              {test: "store/postgres/params_test.go TestParametersHaveTheirEffect"},
	"search_path":          {test: "store/postgres/open_test.go TestTableOfASearchPathIsTheSameBehindAPooler"},
}

// bases are URLs of the schemes whose are not scheme://host.
var bases = map[string]string{
	"memory": "memory://name", "sqlite": "sqlite:///tmp/x.db", "unix": "unix:///run/redis.sock",
	"etcd": "etcd://user@host", "zookeeper": "zookeeper://user@host", "postgres": "postgres://h/db", "postgresql": "postgresql://h/db",
}

func TestEveryParameterOfEveryURLHasAnEffect(t *testing.T) {
	for _, name := range []string{"ETCDCTL_USER", "ETCDCTL_PASSWORD", "PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGSERVICE", "CONSUL_HTTP_TOKEN"} {
		t.Setenv(name, "")
	}
	none := regexp.MustCompile(`there are none$`)
	known := regexp.MustCompile(`known are (.*)$`)
	unused := make(map[string]bool)
	for name := range effects {
		unused[name] = true
	}
	for _, scheme := range store.Schemes() {
		base := bases[scheme]
		switch {
		case base != "":
		case strings.HasSuffix(scheme, "+sentinel"):
			base = scheme + "://host/master"
		default:
			base = scheme + "://host"
		}
		_, err := store.Resolve(base + "?no-such=1")
		if err == nil {
			t.Fatalf("%s: an unknown parameter has no effect", scheme)
		}
		if none.MatchString(err.Error()) {
			continue
		}
		for name := range strings.SplitSeq(known.FindStringSubmatch(err.Error())[1], ", ") {
			delete(unused, name)
			if wrong := lacksEffect(t, base, name); wrong != "" {
				t.Errorf("%s, parameter %s: %s", scheme, name, wrong)
			}
		}
	}
	if len(unused) > 0 {
		t.Errorf("no URL has the parameters %v", unused)
	}
}

// lacksEffect returns what is wrong with a parameter, if anything.
func lacksEffect(t *testing.T, base, name string) string {
	t.Helper()
	e, ok := effects[name]
	switch { // of PostgreSQL, which takes them in one place
	case name == "host":
		base = strings.Replace(base, "//h/", "///", 1)
	case name == "dbname":
		base = strings.TrimSuffix(base, "/db")
	}
	switch {
	case !ok:
		return "nothing shows its effect"
	case e.test != "":
		file, test, _ := strings.Cut(e.test, " ")
		source, err := os.ReadFile(filepath.Join("..", "..", file))
		if err != nil || !strings.Contains(string(source), "func "+test+"(") || !strings.Contains(string(source), name) {
			return fmt.Sprintf("it is not in %s (%v)", e.test, err)
		}
	case e.bad != "":
		got, err := store.Resolve(base + "?" + name + "=" + url.PathEscape(e.bad) + e.with)
		if err == nil {
			return fmt.Sprintf("%q is taken, and leads to %v", e.bad, got)
		}
		if !slices.ContainsFunc([]string{name, e.bad}, func(s string) bool { return strings.Contains(err.Error(), s) }) {
			return fmt.Sprintf("the error does not name it: %v", err)
		}
	default:
		var told []string
		for _, v := range []string{"1", "2"} {
			got, err := store.Resolve(base + "?" + name + "=" + v)
			if err != nil {
				return err.Error()
			}
			told = append(told, got.Value(e.target))
		}
		if told[0] == told[1] {
			return fmt.Sprintf("%q either way", told[0])
		}
	}
	return ""
}
