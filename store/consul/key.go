package consul

import (
	"fmt"
	"net/url"
	"strings"
)

// Consul's HTTP API takes keys in the path of a URL. There it drops leading and doubled
// slashes, resolves "." and "..", and refuses characters that its version of Unicode does
// not call printable. So each byte of these, and of % itself, is stored as % and two
// hexadecimal digits.
//
// The rules must never change: two versions that store one key differently would hold two
// elections.

// escape returns the key in Consul of a key. Different keys have different ones.
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

// escapePrefix returns a prefix in Consul of all keys that begin with prefix. Some other
// keys may have it as well.
func escapePrefix(prefix string) string {
	slash := strings.LastIndexByte(prefix, '/')
	head, last := prefix[:slash+1], prefix[slash+1:]
	if last == "." || last == ".." {
		// How a dot is stored depends on what follows.
		return escape(head)
	}
	return escape(prefix)
}

// unescape returns the key of a key in Consul, and false for one that escape does not
// return: Get would not find it.
func unescape(stored string) (string, bool) {
	key, err := url.PathUnescape(stored)
	return key, err == nil && escape(key) == stored
}
