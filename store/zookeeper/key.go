package zookeeper

import (
	"strings"
	"unicode/utf8"
)

// reserved is the first part of the paths that ZooKeeper reserves.
const reserved = "zookeeper"

// nodeOf returns the path of the node of a key: "/" and the key, in which what a path
// cannot have is escaped. Different keys have different nodes.
func nodeOf(key string) string {
	var node strings.Builder
	for i, part := range strings.Split(key, "/") {
		node.WriteByte('/')
		node.WriteString(escape(part, i == 0))
	}
	return node.String()
}

// escape returns the name of the node of a part of a key; first reports whether it is the
// first part. An empty part is "%"; a byte that is not allowed is % and two hexadecimal
// digits.
func escape(part string, first bool) string {
	switch {
	case part == "":
		return "%"
	case part == ".", part == "..", first && part == reserved:
		return escapeByte(part[0]) + part[1:]
	}
	var name strings.Builder
	for i, r := range part {
		_, size := utf8.DecodeRuneInString(part[i:])
		if takes(r) {
			name.WriteString(part[i : i+size])
			continue
		}
		for _, b := range []byte(part[i : i+size]) {
			name.WriteString(escapeByte(b))
		}
	}
	return name.String()
}

func escapeByte(b byte) string {
	const digits = "0123456789ABCDEF"
	return string([]byte{'%', digits[b>>4], digits[b&15]})
}

// takes reports whether a node's name may have r: ZooKeeper allows it, in UTF-16, and it
// has no meaning in an escaped name. Invalid UTF-8 decodes to U+FFFD, which is not
// allowed.
func takes(r rune) bool {
	switch {
	case r < 0x20, r == '%', r >= 0x7f && r <= 0x9f:
		return false
	case r >= 0xd800 && r <= 0xf8ff, r >= 0xfff0:
		return false
	}
	return true
}

// unescape returns the part of a key that a node's name stands for; ok is false for a
// node that is not of a key.
func unescape(name string, first bool) (part string, ok bool) {
	if name == "%" {
		return "", true
	}
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] != '%' {
			b.WriteByte(name[i])
			continue
		}
		if i+2 >= len(name) {
			return "", false
		}
		b.WriteByte(nibble(name[i+1])<<4 | nibble(name[i+2]))
		i += 2
	}
	part = b.String()
	// There is only one way to write a part. This excludes all others.
	return part, escape(part, first) == name
}

// nibble returns the value of a hexadecimal digit, and any value for another character.
func nibble(digit byte) byte {
	if digit >= 'A' {
		return digit - 'A' + 10
	}
	return digit - '0'
}
