package store_test

import (
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/seed-a1d591d3/leadership/store"
)

// FuzzURL wants a URL to be parsed like by net/url, if that accepts it, or to be refused
// without showing the password; and to be shown as one that is parsed alike.
func FuzzURL(f *testing.F) {
	for _, rawURL := range []string{
		"test://h", "test://u:p@h:1/a/b?token=t&fast=1", "test://[::1]:2/%2C", "test://[fe80::1%25eth0]/", "test://h:01/a",
		"test://a,b:1/c", "test://:p%40@h", "test://h1/,h2/", "test://h?a=b=c", "test://h/%zz", "test://u:p@q@h", "test-file:///a%20b",
	} {
		f.Add(rawURL)
	}
	f.Fuzz(func(t *testing.T, rawURL string) {
		opened, do = nil, nil
		kv, err := store.Open(t.Context(), rawURL)
		if err != nil {
			wantNoPassword(t, rawURL, err)
			return
		}
		kv.Close()
		read := opened
		if again, err := store.Open(t.Context(), read.String()); err != nil {
			t.Errorf("%s, as it is shown, is refused: %v", read, err)
		} else if again.Close(); opened.Path != read.Path || !slices.Equal(opened.Hosts, read.Hosts) || opened.Setting("fast") != read.Setting("fast") || opened.String() != read.String() {
			t.Errorf("%s is shown as %s", rawURL, opened)
		}
		want, err := url.Parse(rawURL)
		if err != nil || !strings.HasPrefix(read.Scheme, "test") {
			return
		}
		password, _ := want.User.Password()
		if read.User != want.User.Username() || read.Password != password || "/"+read.Path != "/"+strings.TrimPrefix(want.Path, "/") {
			t.Errorf("user %q, password %q, path %q; want as of %s", read.User, read.Password, read.Path, want)
		}
		if read.Scheme == "test" && !strings.Contains(want.Host, ",") {
			host, port, err := net.SplitHostPort(read.Hosts[0])
			if err != nil || host != want.Hostname() || want.Port() != "" && port != strings.TrimLeft(want.Port(), "0") {
				t.Errorf("hosts %q, want %s", read.Hosts, want.Host)
			}
		}
	})
}
