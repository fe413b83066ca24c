package zookeeper

import (
	"strings"
	"testing"
)

func TestKeysHaveNodes(t *testing.T) {
	for key, want := range map[string]string{
		"a":                    "/a",
		"service/swarm/leader": "/service/swarm/leader",
		"a b/ü/世":              "/a b/ü/世",
		"...":                  "/...",
		"/":                    "/%/%",
		"/a":                   "/%/a",
		"a/":                   "/a/%",
		"a//b":                 "/a/%/b",
		"%":                    "/%25",
		"100%/a":               "/100%25/a",
		"./..":                 "/%2E/%2E.",
		"zookeeper/a":          "/%7Aookeeper/a",
		"a/zookeeper":          "/a/zookeeper",
		"a\x00\n\x7f":          "/a%00%0A%7F",
		"\u0080\u009f\u00a0":   "/%C2%80%C2%9F\u00a0",
		"\ud7ff\ue000\uf8ff":   "/\ud7ff%EE%80%80%EF%A3%BF",
		"\uf900\uffef\ufff0":   "/\uf900\uffef%EF%BF%B0",
		"\xff\xc3":             "/%FF%C3",
		"😀":                    "/%F0%9F%98%80",
	} {
		if node := nodeOf(key); node != want {
			t.Errorf("%q is in %q, want %q", key, node, want)
		}
	}
}

// keyOf is the other direction of nodeOf.
func keyOf(node string) (string, bool) {
	var parts []string
	for i, name := range strings.Split(node[1:], "/") {
		part, ok := unescape(name, i == 0)
		if !ok {
			return "", false
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "/"), true
}

func TestNodesThatNoKeyIsIn(t *testing.T) {
	for _, node := range []string{"/zookeeper", "/a%", "/%2", "/%zz", "/%2e", "/%41", "/a/%/%2F", "/%GG", "/% "} {
		if key, ok := keyOf(node); ok {
			t.Errorf("%q is the node of %q", node, key)
		}
	}
}

func FuzzKeyComesBack(f *testing.F) {
	for _, key := range []string{"a/b", "/", "a//", "..", "%2E", "zookeeper", "\xff", "😀", "\x00"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		node := nodeOf(key)
		if back, ok := keyOf(node); !ok || back != key {
			t.Errorf("%q is in %q, which is the node of %q, %v", key, node, back, ok)
		}
		for _, r := range node {
			if !takes(r) && r != '%' {
				t.Errorf("%q is in %q, which ZooKeeper does not take", key, node)
			}
		}
	})
}
