package storetest

import (
	"slices"
	"strings"

	"github.com/seed-a1d591d3/leadership/store"
)

var keyChecks = []check{
	{name: "Slashes", test: keysTest(slashes)},
	{name: "Dots", test: keysTest(dots)},
	{name: "Spaces", test: keysTest(spaces)},
	{name: "Case", test: keysTest(cases)},
	{name: "Unicode", test: keysTest(unicodes)},
	{name: "Punctuation", test: keysTest(punctuation)},
	{name: "512Bytes", test: keysTest(longKeys)},
	{name: "EmptyIsRefused", test: keyEmpty},
}

func slashes(b string) []string {
	return []string{b, "/" + b, "//" + b, b + "/", b + "//", b + "/a", b + "//a", b + "/a/", "/" + b + "/", "/" + b + "/a", b + "/a/b", b + "/a//b", b + "///"}
}

func dots(b string) []string {
	return []string{b, b + ".", b + "..", b + "/.", b + "/..", b + "/./a", b + "/../a", b + "/a/..", b + "/a", b + "/...", "." + b, "../" + b, "./" + b}
}

func spaces(b string) []string {
	return []string{b, " " + b, b + " ", b + "  ", b + " a", b + "  a", b + "/ ", b + "/ /a", b + "+a", b + "%20a", b + "\u00a0a", b + "\u3000"}
}

func cases(b string) []string { return []string{b + "/key", b + "/Key", b + "/KEY", b + "/kEy"} }

func unicodes(b string) []string {
	return []string{
		b + "/ключ", b + "/КЛЮЧ", b + "/鍵", b + "/مفتاح", b + "/🔑", b + "/👩\u200d💻",
		b + "/\u00e9", b + "/e\u0301", b + "/e", // the same to readers, and other bytes
		b + "/ß", b + "/ss", b + "/ı", b + "/i", b + "/\ufeff", b + "/\U0010ffff",
	}
}

// punctuation has characters with a meaning in URLs, patterns, SQL and shells. Those of
// patterns also stand before another character, so that a List that treats them as a
// pattern fails.
func punctuation(b string) []string {
	keys := []string{b + "xchild", b + "%2Fchild", b + "[a-z]child", b + "{x}", b + "'; --", b + "$1", b + "%s"}
	for _, r := range "!\"#$%&'()*+,-.:;<=>?@[\\]^_`{|}~" {
		keys = append(keys, b+string(r))
	}
	for _, r := range `%_*?.[\` {
		keys = append(keys, b+string(r)+"child")
	}
	return keys
}

func longKeys(b string) []string {
	fill := func(with string) string {
		return b + strings.Repeat(with, 512)[:512-len(b)-1]
	}
	return []string{fill("x") + "1", fill("x") + "2", fill("/y") + "1", fill("/y") + "2", fill("z")}
}

// keysTest: all methods distinguish all keys, and return them unchanged.
func keysTest(choose func(base string) []string) func(*trial) {
	return func(tr *trial) {
		kv, other := tr.client(), tr.client()
		keys := choose(tr.base)
		watches := map[string]*watch{}
		for _, key := range keys {
			watches[key] = other.watch(key)
			watches[key].wantNext(watches[key].missing())
		}
		pairs := kv.createAll(keys...)
		kv.wantMany(other, pairs, keys...)
		for _, key := range keys {
			kv.wantPair(pairs[key])
			watches[key].wantNext(pairs[key])
			tr.wantListed(kv, key, keys)
		}
		for _, directory := range []string{tr.base, "/" + tr.base, tr.base + "/"} {
			tr.wantListed(other, directory, keys)
		}
		for i, key := range keys {
			if i%2 == 0 {
				pairs[key] = other.swap(pairs[key], "changed")
				watches[key].wantNext(pairs[key])
			} else {
				other.remove(pairs[key])
				kv.wantMissing(key)
				watches[key].wantNext(watches[key].missing())
			}
		}
		for i, key := range keys {
			if i%2 == 0 {
				kv.wantPair(pairs[key])
			}
		}
	}
}

// wantListed wants List to find those of keys that are in directory.
func (tr *trial) wantListed(kv *client, directory string, keys []string) {
	tr.Helper()
	kv.wantList(directory, slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		return key == directory || !strings.HasPrefix(key, directory)
	})...)
}

func keyEmpty(tr *trial) {
	kv := tr.client()
	pair := kv.create(tr.base, "a")
	for name, call := range methods {
		if name == "Create" || name == "List" {
			continue
		}
		if err := call(tr.soon(), kv, &store.KVPair{LastIndex: pair.LastIndex}); err == nil || isAny(err, refusals...) {
			tr.Errorf("%s of an empty key: %v; want an error that says so", name, err)
		}
	}
	if _, _, err := kv.AtomicPut(tr.soon(), "", []byte("a"), nil, nil); err == nil || isAny(err, refusals...) {
		tr.Errorf("AtomicPut of an empty key: %v; want an error that says so", err)
	}
	kv.wantPair(pair)
}
