package consul

import (
	"net/url"
	"path"
	"strings"
	"testing"
)

// FuzzKeyComesBack: each key is stored under one that comes back from the path of a URL as it
// is, and no other key is stored there; what no key is stored under is not taken for one.
func FuzzKeyComesBack(f *testing.F) {
	f.Fuzz(func(t *testing.T, key, other string) {
		stored := escape(key)
		if back, ok := unescape(stored); !ok || back != key {
			t.Errorf("%q is stored under %q, which is that of %q, %v", key, stored, back, ok)
		}
		if back, ok := unescape(other); ok && escape(back) != other {
			t.Errorf("%q is taken for that of %q, which is stored under %q", other, back, escape(back))
		}
		if key != other && escape(other) == stored {
			t.Errorf("%q and %q are both stored under %q", key, other, stored)
		}
		if u := (&url.URL{Path: "/v1/kv/" + stored}); key != "" && !strings.HasSuffix(key, "/") && path.Clean(u.Path) != u.Path {
			t.Errorf("%q is stored under %q, which a server shortens", key, stored)
		}
		if strings.HasPrefix(key, other) && !strings.HasPrefix(stored, escapePrefix(other)) {
			t.Errorf("%q begins with %q, and %q not with %q", key, other, stored, escapePrefix(other))
		}
	})
}
