package all_test

import (
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/seed-a1d591d3/leadership/store"
)

// FuzzURLWritten writes a URL of its parts, each escaped as everywhere, and wants exactly
// those parts to be read from it by every store, whatever they have in them.
func FuzzURLWritten(f *testing.F) {
	escape := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	f.Fuzz(func(t *testing.T, user, password, part, prefix string, port, database uint16) {
		for _, text := range []string{user, part, prefix} {
			if !utf8.ValidString(text) || text == "" || strings.ContainsFunc(text, unicode.IsControl) {
				return
			}
		}
		// Those are refused, with the reason; a user of ZooKeeper has no colon.
		if strings.Contains(user, ":") || port == 0 || password == "" || strings.ContainsFunc(password, unicode.IsControl) || strings.ContainsAny(prefix, "/") || strings.Trim(prefix, ".") == "" || strings.ContainsAny(part, "/") || strings.Trim(part, ".") == "" {
			return
		}
		host := net.JoinHostPort("fe80::7", strconv.Itoa(int(port)))
		login := escape(user) + ":" + escape(password) + "@"
		number := strconv.Itoa(int(database))
		for rawURL, want := range map[string]map[string]string{
			"etcd://" + login + host + "/" + escape(part):                                   {"hosts": host, "user": user, "prefix": part + "/"},
			"zookeeper://" + login + host + "/a/" + escape(part):                            {"hosts": host, "user": user, "prefix": "a/" + part + "/"},
			"consul://" + host + "/" + escape(part) + "?token=" + escape(password):          {"hosts": host, "prefix": part + "/"},
			"redis://" + login + host + "/" + number + "?prefix=" + escape(prefix):          {"hosts": host, "user": user, "database": number, "prefix": prefix},
			"redis+cluster://" + login + host + "?prefix=" + escape(prefix):                 {"hosts": host, "user": user, "prefix": prefix},
			"postgres://" + login + host + "/" + escape(part) + "?prefix=" + escape(prefix): {"hosts": host, "user": user, "database": part, "prefix": prefix + "/"},
			"sqlite:///run/" + escape(part):                                                 {"file": "/run/" + part},
			"memory://" + escape(part):                                                      {"name": part},
		} {
			got, err := store.Resolve(rawURL)
			if err != nil {
				t.Errorf("%s: %v", rawURL, err)
				continue
			}
			for name, value := range want {
				if got.Value(name) != value && got.Value(name) != strings.TrimSuffix(value, "/") {
					t.Errorf("%s: %s is %q, want %q", rawURL, name, got.Value(name), value)
				}
			}
		}
	})
}
