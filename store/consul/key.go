package consul

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Consul's HTTP API takes keys in the path of a URL, and there it drops slashes
// at the beginning and doubled ones, resolves "." and "..", and refuses what is
// not printable. So what it would not take as it is, is stored as % and two
// hexadecimal digits for each byte, and so is % itself. Ordinary keys stay as
// they are.
//
// The rules may never change: two versions that write one key differently hold
// two elections.

// escape returns the key in Consul for a key. No two keys have the same.
func escape(key string) string {
	segments := strings.Split(key, "/")
	var b strings.Builder
	for i, segment := range segments {
		if i > 0 {
			// The slash before: it is one too many if nothing is before it.
			if segments[i-1] == "" {
				b.WriteString("%2F")
			} else {
				b.WriteByte('/')
			}
		}
		if segment == "." || segment == ".." {
			b.WriteString(strings.ReplaceAll(segment, ".", "%2E"))
			continue
		}
		escapeSegment(&b, segment)
	}
	return b.String()
}

func escapeSegment(b *strings.Builder, segment string) {
	for len(segment) > 0 {
		r, size := utf8.DecodeRuneInString(segment)
		if r == utf8.RuneError && size == 1 || troublesome(r) {
			for _, c := range []byte(segment[:size]) {
				fmt.Fprintf(b, "%%%02X", c)
			}
		} else {
			b.WriteString(segment[:size])
		}
		segment = segment[size:]
	}
}

// troublesome tells whether Consul refuses a character. Characters that Unicode
// has yet to assign are not escaped: Consul has to know them.
func troublesome(r rune) bool {
	return r == '%' || r != ' ' && unicode.In(r, unicode.Z, unicode.Cc, unicode.Cf, unicode.Co)
}

// escapePrefix returns what the keys in Consul begin with for keys that begin
// with prefix; for some others, too.
func escapePrefix(prefix string) string {
	slash := strings.LastIndexByte(prefix, '/')
	head, last := prefix[:slash+1], prefix[slash+1:]
	if last == "." || last == ".." || !utf8.ValidString(last) {
		// How the last segment is written depends on what follows.
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
