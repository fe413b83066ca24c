package storetest

import (
	"fmt"
	"strings"

	"github.com/seed-a1d591d3/leadership/store"
)

var manyChecks = []check{
	{name: "FindsEachInItsPlace", test: manyPlaces},
	{name: "FindsWhatGetFinds", test: manyLikeGet},
	{name: "EveryClientFindsIt", test: manyOfAnother},
	{name: "FindsManyKeys", test: manyKeys},
	{name: "FindsThemBelowAPrefix", test: manyBelow},
	{name: "ReturnedPairsAreTheCallers", test: manyCopies},
}

// many returns the pairs under keys, with nil for a missing one.
func (c *client) many(kv store.Store, keys ...string) []*store.KVPair {
	c.tr.Helper()
	pairs, err := store.GetMany(c.tr.soon(), kv, keys)
	if err != nil {
		c.tr.Fatalf("GetMany of %d keys: %v", len(keys), err)
	}
	if len(pairs) != len(keys) {
		c.tr.Fatalf("GetMany of %d keys returned %d pairs", len(keys), len(pairs))
	}
	return pairs
}

// wantMany wants GetMany to find exactly these pairs, nil for a missing key.
func (c *client) wantMany(kv store.Store, want map[string]*store.KVPair, keys ...string) {
	c.tr.Helper()
	for i, pair := range c.many(kv, keys...) {
		switch w := want[keys[i]]; {
		case pair == nil && w == nil:
		case pair == nil || w == nil:
			c.tr.Fatalf("GetMany found %s at place %d; want %s", describe(pair), i, describe(w))
		default:
			c.tr.wantEqual("GetMany", pair, w)
		}
	}
}

func manyPlaces(tr *trial) {
	kv := tr.client()
	b := tr.base
	want := kv.createAll(b+"/c", b+"/a", b+"/b", b+"/between", b+"/gone")
	kv.remove(want[b+"/gone"])
	delete(want, b+"/gone")
	// Out of order, missing, deleted, more than once.
	kv.wantMany(kv, want, b+"/b", b+"/none", b+"/a", b+"/gone", b+"/b", b+"/c", b+"/none", b+"/b")
	kv.wantMany(kv, want, b+"/a")
	kv.wantMany(kv, want, b+"/none")
}

func manyLikeGet(tr *trial) {
	kv := tr.client()
	pair := kv.create(tr.base, "a")
	for _, value := range []string{"b", "c", "d"} {
		found := kv.many(kv, tr.base, tr.base+"/none")[0]
		tr.wantFound("GetMany", found, tr.base)
		tr.wantEqual("GetMany", found, pair)
		tr.wantEqual("GetMany", found, kv.get(tr.base))
		pair = kv.swap(found, value) // from what was read
	}
	kv.remove(kv.many(kv, tr.base)[0])
	kv.wantMissing(tr.base)
}

func manyOfAnother(tr *trial) {
	a, b := tr.client(), tr.client()
	keys := []string{tr.base + "/1", tr.base + "/2"}
	for range 8 {
		want := a.createAll(keys...)
		b.wantMany(b, want, keys...)
		want[keys[1]] = b.swap(want[keys[1]], "changed")
		a.wantMany(a, want, keys...)
		for _, key := range keys {
			a.remove(want[key])
		}
		b.wantMany(b, nil, keys...)
	}
}

// manyKeys: more than any store reads in one request. Between the wanted keys there are
// others, few at first and then most of them.
func manyKeys(tr *trial) {
	const n = 2500
	clients := tr.clients(writers)
	kv := clients[0]
	kv.create(tr.base+"/first", "first") // what is above the keys, if the store has that
	written := make([]*store.KVPair, n)
	keyOf := func(i int) string { return fmt.Sprintf("%s/%d", tr.base, i) }
	atOnce(clients, func(i int, kv *client) {
		for ; i < n; i += len(clients) {
			if tr.Failed() {
				return
			}
			_, pair, err := kv.AtomicPut(tr.soon(), keyOf(i), []byte(strings.Repeat("v", 250)+keyOf(i)), nil, nil)
			if err != nil {
				tr.Errorf("AtomicPut: %v", err)
				return
			}
			written[i] = pair
		}
	})
	if tr.Failed() {
		return
	}
	want := make(map[string]*store.KVPair)
	for i, pair := range written {
		want[keyOf(i)] = pair
	}
	var all, few []string
	for i := range n {
		key := keyOf((i*7 + 3) % n) // out of order
		if all = append(all, key); i%10 == 0 {
			all = append(all, key+"/none", key)
			few = append(few, key, key+"/none")
		}
	}
	kv.wantMany(kv, want, all...)
	kv.wantMany(kv, want, few...)
}

func manyBelow(tr *trial) {
	kv := tr.client()
	view := store.WithPrefix(kv, tr.base+"/")
	want := make(map[string]*store.KVPair)
	for key, pair := range kv.createAll(tr.base+"/a", tr.base+"/b", tr.base+"a") {
		if below, ok := strings.CutPrefix(key, tr.base+"/"); ok {
			want[below] = &store.KVPair{Key: below, Value: pair.Value, LastIndex: pair.LastIndex}
		}
	}
	kv.wantMany(view, want, "b", "none", "a", "b")
	if _, err := store.GetMany(tr.soon(), view, []string{"a", ""}); err == nil || isAny(err, refusals...) {
		tr.Errorf("GetMany with an empty key: %v; want an error that says so", err)
	}
	if _, _, err := view.AtomicPut(tr.soon(), "a", []byte("new"), kv.many(view, "a")[0], nil); err != nil {
		tr.Errorf("AtomicPut from what GetMany found: %v", err)
	}
}

func manyCopies(tr *trial) {
	kv := tr.client()
	kv.create(tr.base, "good")
	pairs := kv.many(kv, tr.base, tr.base)
	pairs[0].Value[0] = 'X'
	for _, pair := range []*store.KVPair{pairs[1], kv.many(kv, tr.base)[0], kv.get(tr.base)} {
		if string(pair.Value) != "good" {
			tr.Errorf("there is %s after a caller changed what it got; want %q", describe(pair), "good")
		}
	}
}
