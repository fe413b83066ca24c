package storetest

import (
	"errors"
	"slices"
	"strings"

	"github.com/seed-a1d591d3/leadership/store"
)

var listChecks = []check{
	{name: "FindsAllThatBeginsWithIt", test: listFinds},
	{name: "LeavesTheDirectoryItselfOut", test: listSelf},
	{name: "NothingIsNotFound", test: listNothing},
	{name: "HasValuesAndIndexes", test: listPairs},
	{name: "FindsManyKeys", test: listMany},
}

// list returns the result of List, sorted, and nothing for ErrKeyNotFound.
func (c *client) list(directory string) []*store.KVPair {
	c.tr.Helper()
	pairs, err := c.List(c.tr.soon(), directory, nil)
	switch {
	case errors.Is(err, store.ErrKeyNotFound):
		return nil
	case err != nil:
		c.tr.Fatalf("List(%q): %v", directory, err)
	case len(pairs) == 0:
		c.tr.Errorf("List(%q) found nothing, and does not say ErrKeyNotFound", directory)
	}
	for _, pair := range pairs {
		if pair == nil || pair.Value == nil {
			c.tr.Fatalf("List(%q) has a pair that is not there: %s", directory, describe(pair))
		}
	}
	slices.SortFunc(pairs, func(a, b *store.KVPair) int { return strings.Compare(a.Key, b.Key) })
	return pairs
}

// wantList wants List to find these keys and no others.
func (c *client) wantList(directory string, keys ...string) {
	c.tr.Helper()
	got := []string{}
	for _, pair := range c.list(directory) {
		got = append(got, pair.Key)
	}
	slices.Sort(keys)
	if !slices.Equal(got, keys) {
		c.tr.Errorf("List(%q) found %q; want %q", directory, got, keys)
	}
}

// createAll creates keys whose values are the keys.
func (c *client) createAll(keys ...string) map[string]*store.KVPair {
	c.tr.Helper()
	pairs := make(map[string]*store.KVPair)
	for _, key := range keys {
		pairs[key] = c.create(key, key)
	}
	return pairs
}

func listFinds(tr *trial) {
	kv := tr.client()
	b := tr.base
	pairs := kv.createAll(b+"/job/1", b+"/job/2", b+"/job/1/done", b+"/job/a/b/c/d", b+"/jobs", b+"/jobs/1", b+"/other", b+"other")
	kv.wantList(b+"/job", b+"/job/1", b+"/job/2", b+"/job/1/done", b+"/job/a/b/c/d", b+"/jobs", b+"/jobs/1")
	kv.wantList(b+"/job/", b+"/job/1", b+"/job/2", b+"/job/1/done", b+"/job/a/b/c/d")
	kv.wantList(b+"/job/a/b/c/", b+"/job/a/b/c/d")
	kv.wantList(b+"/j", b+"/job/1", b+"/job/2", b+"/job/1/done", b+"/job/a/b/c/d", b+"/jobs", b+"/jobs/1")
	kv.wantList(b, slices.DeleteFunc(keysOf(pairs), func(key string) bool { return key == b })...)
	kv.remove(pairs[b+"/job/1"])
	tr.client().wantList(b+"/job/", b+"/job/2", b+"/job/1/done", b+"/job/a/b/c/d")
}

func keysOf(pairs map[string]*store.KVPair) []string {
	keys := make([]string, 0, len(pairs))
	for key := range pairs {
		keys = append(keys, key)
	}
	return keys
}

func listSelf(tr *trial) {
	kv := tr.client()
	b := tr.base
	kv.createAll(b, b+"/", b+"/a")
	kv.wantList(b, b+"/", b+"/a")
	kv.wantList(b+"/", b+"/a")
}

func listNothing(tr *trial) {
	kv := tr.client()
	kv.createAll(tr.base+"/a", tr.base+"/gone/a")
	kv.remove(kv.get(tr.base + "/gone/a"))
	// None, only the directory itself, none any more.
	for _, directory := range []string{tr.base + "/none", tr.base + "/a", tr.base + "/gone/"} {
		pairs, err := kv.List(tr.soon(), directory, nil)
		if !errors.Is(err, store.ErrKeyNotFound) || len(pairs) != 0 {
			tr.Errorf("List(%q) = %d pairs, %v; want ErrKeyNotFound", directory, len(pairs), err)
		}
	}
}

func listPairs(tr *trial) {
	kv := tr.client()
	want := kv.createAll(tr.base+"/a", tr.base+"/b", tr.base+"/c/d")
	want[tr.base+"/b"] = kv.swap(want[tr.base+"/b"], "changed")
	for _, opts := range []*store.ReadOptions{nil, {Consistent: true}} {
		pairs, err := kv.List(tr.soon(), tr.base, opts)
		if err != nil || len(pairs) != len(want) {
			tr.Fatalf("List = %d pairs, %v; want %d", len(pairs), err, len(want))
		}
		for _, pair := range pairs {
			if want[pair.Key] == nil {
				tr.Fatalf("List found %s", describe(pair))
			}
			tr.wantEqual("List", pair, want[pair.Key])
		}
	}
}

func listMany(tr *trial) {
	kv := tr.client()
	keys := make([]string, 110) // more than a hundred, which is a common page
	for i := range keys {
		keys[i] = tr.base + "/" + strings.Repeat("k", i+1)
	}
	kv.createAll(keys...)
	kv.wantList(tr.base+"/", keys...)
}
