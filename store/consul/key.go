package consul

import (
	"fmt"
	"net/url"
	"strings"
)

// Consul's HTTP API takes keys in the path of a URL. There it drops slashes at
// the beginning and doubled ones, resolves "." and "..", and refuses what the
// Unicode that it was built with does not call printable. So what it might not
// take as it is, is stored as % and two hexadecimal digits for each byte, and so
// is % itself.
//
// The rules may never change: two versions that write one key differently hold
// two elections.

// escape returns the key in Consul for a key. No two keys have the same.
func escape(key string) string {
	var b strings.Builder
	segments := strings.Split(key, "/")
	for i, segment := range segments {
		switch {
		case i > 0 && segments[i-1] == "":
			b.WriteString("%2F")
		case i > 0:
			b.WriteByte('/')
		}
		dots := segment == "." || segment == ".."
		for _, c := range []byte(segment) {
			if dots || c == '%' || c < ' ' || c > '~' {
				fmt.Fprintf(&b, "%%%02X", c)
			} else {
				b.WriteByte(c)
			}
		}
	}
	return b.String()
}

// escapePrefix returns what the keys in Consul begin with for keys that begin
// with prefix; for some others, too.
func escapePrefix(prefix string) string {
	slash := strings.LastIndexByte(prefix, '/')
	head, last := prefix[:slash+1], prefix[slash+1:]
	if last == "." || last == ".." {
		// How that is written depends on what follows.
		return escape(head)
	}
	return escape(prefix)
}

// unescape returns the key for a key in Consul, and false for one that escape
// does not make: Get would not find it.
func unescape(stored string) (string, bool) {
	key, err := url.PathUnescape(stored)
	return key, err == nil && escape(key) == stored
}
