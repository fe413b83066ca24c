package all_test

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/store"
)

// ofRedis are the schemes that go-redis knows, and those that say the same.
var ofRedis = map[string]string{"redis": "redis", "rediss": "rediss", "unix": "unix", "valkey": "redis", "valkeys": "rediss"}

// redisURL returns a URL as go-redis should have it, which does not know our parameters
// and schemes, or false.
func redisURL(rawURL string) (string, bool) {
	scheme, rest, _ := strings.Cut(rawURL, ":")
	scheme, ok := ofRedis[strings.ToLower(scheme)]
	rest, query, _ := strings.Cut(rest, "?")
	params := slices.DeleteFunc(strings.Split(query, "&"), func(param string) bool {
		name, _, _ := strings.Cut(param, "=")
		name, _ = url.QueryUnescape(name)
		return name != "db"
	})
	return scheme + ":" + rest + "?" + strings.Join(params, "&"), ok
}

// FuzzURL wants a target or an error for every URL, and for one of Redis the server and
// database of go-redis, or an error.
func FuzzURL(f *testing.F) {
	for _, scheme := range store.Schemes() {
		f.Add(scheme + "://host1:1,host2/0?prefix=a%2Fb&poll=1s")
		f.Add(scheme + "://user:pass%2Fword@[::1]:7/part/1?tls=true")
		f.Add(scheme + ":///run/x.sock?db=1")
	}
	for _, rawURL := range []string{
		"redis://h?db=3", "redis://:p@h:06379/2", "rediss://u:p@h/%31", "unix://:p@/run/redis%20.sock?db=4", "redis://h/1/2", "REDIS://H/+1",
		"etcd://h1:1/,h2:1/", "etcd://http://h", "sqlite:///:memory:", "consul://h/a//b?token=t", "zookeeper://u:p@h/../a", "postgres:///d?host=/run&service=x",
	} {
		f.Add(rawURL)
	}
	f.Fuzz(func(t *testing.T, rawURL string) {
		got, err := store.Resolve(rawURL)
		if (err == nil) == (got == nil) {
			t.Fatalf("the target is %v, the error %v", got, err)
		}
		if err != nil {
			return
		}
		theirs, ok := redisURL(rawURL)
		if !ok {
			return
		}
		want, err := goredis.ParseURL(theirs)
		if err != nil && strings.Contains(err.Error(), "invalid userinfo") {
			return // redis-cli takes a password with such characters
		}
		if err != nil {
			t.Fatalf("%q is taken for %v; go-redis refuses it: %v", rawURL, got, err)
		}
		// It puts brackets around an IPv6 address that has them.
		host, port, _ := net.SplitHostPort(strings.NewReplacer("[[", "[", "]]", "]").Replace(want.Addr))
		n, _ := strconv.Atoi(port)
		if want.Network == "unix" && got.Value("socket") != want.Addr ||
			want.Network == "tcp" && got.Value("hosts") != net.JoinHostPort(host, strconv.Itoa(n)) ||
			got.Value("database") != strconv.Itoa(want.DB) || got.Value("user") != want.Username {
			t.Errorf("%v; go-redis has %s, database %d, user %q", got, want.Addr, want.DB, want.Username)
		}
	})
}

// FuzzURLSecrets wants no secret in an error or a target, wherever in a URL the password
// is, and however the rest and the password are written.
func FuzzURLSecrets(f *testing.F) {
	const secret = "hunter2Zq9x"
	names := []string{"", "password", "token", "sentinel_password", "sslpassword"}
	for i := range store.Schemes() {
		for j := range names {
			f.Add(uint8(i), uint8(j), "user", "", "", "host:1", "path", "poll=1s")
			f.Add(uint8(i), uint8(j), "", "a/b", "#c", "host:x", "p/1", "tls=x")
			f.Add(uint8(i), uint8(j), "u%", "a?b=c&", "%", "h1,h2:", "..", "color=red")
		}
	}
	f.Fuzz(func(t *testing.T, scheme, where uint8, user, before, after, hosts, path, query string) {
		name := names[int(where)%len(names)]
		schemes := store.Schemes()
		base := schemes[int(scheme)%len(schemes)]
		// Those have no password: what looks like one is a name or a file's.
		if base == "memory" || base == "sqlite" || strings.ContainsAny(before+after, "@") {
			return
		}
		password := before + secret + after
		rawURL := base + "://" + user + ":" + password + "@" + hosts + "/" + path + "?" + query
		if name != "" {
			// An & that is the password's own ends it for anybody who reads it.
			if strings.ContainsAny(password+hosts+path+query, "&#?@") {
				return
			}
			rawURL = base + "://" + hosts + "/" + path + "?" + query + "&" + name + "=" + password
		}
		got, err := store.Resolve(rawURL)
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%q: the error is %v", rawURL, err)
		}
		// user:1?prefix=x@host is a URL without a login.
		if strings.Contains(got.String(), secret) && !strings.Contains(before, "?") {
			t.Errorf("%q: the target is %v", rawURL, got)
		}
	})
}
