package storetest

import (
	"github.com/seed-a1d591d3/leadership/store"
)

var getChecks = []check{
	{name: "MissingKeyIsNotFound", test: getMissing},
	{name: "FindsWhatWasWritten", test: getWritten},
	{name: "EveryClientFindsIt", test: getOfAnother},
	{name: "ReturnedPairIsTheCallers", test: getCopy},
}

func getMissing(tr *trial) {
	kv := tr.client()
	kv.create(tr.base+"/other", "other")
	kv.wantMissing(tr.base)
	kv.remove(kv.create(tr.base, "a"))
	kv.wantMissing(tr.base)
}

func getWritten(tr *trial) {
	kv := tr.client()
	written := kv.create(tr.base, "a")
	for range 2 {
		for _, opts := range []*store.ReadOptions{nil, {}, {Consistent: true}} {
			pair, err := kv.Get(tr.soon(), tr.base, opts)
			if err != nil {
				tr.Fatalf("Get with %+v: %v", opts, err)
			}
			if opts == nil || opts.Consistent {
				tr.wantEqual("Get", pair, written)
			}
		}
		written = kv.swap(written, "b")
	}
}

func getOfAnother(tr *trial) {
	a, b := tr.client(), tr.client()
	for range 8 {
		pair := a.create(tr.base, "a")
		b.wantPair(pair)
		pair = b.swap(pair, "b")
		a.wantPair(pair)
		a.remove(pair)
		b.wantMissing(tr.base)
	}
}

func getCopy(tr *trial) {
	kv := tr.client()
	value := []byte("good")
	_, written, err := kv.AtomicPut(tr.soon(), tr.base+"/a", value, nil, nil)
	if err != nil {
		tr.Fatalf("AtomicPut: %v", err)
	}
	value[0], written.Value[0] = 'X', 'X'
	kv.get(tr.base + "/a").Value[0] = 'X'
	for _, pair := range kv.list(tr.base) {
		pair.Value[0] = 'X'
	}
	kv.watch(tr.base + "/a").next().Value[0] = 'X'
	if got := kv.get(tr.base + "/a"); string(got.Value) != "good" {
		tr.Errorf("Get found %s after callers changed what they passed or got; want %q", describe(got), "good")
	}
}

var putChecks = []check{
	{name: "CreatesAndReplaces", test: putWrites},
	{name: "ReturnsTheIndexThatAReadFinds", test: putIndex},
	{name: "CreateOverExistingIsRefused", test: putOver},
	{name: "StaleIsRefused", test: putStale},
	{name: "GoneIsRefused", test: putGone},
	{name: "PairOfAMissingKeyIsRefused", test: putMissing},
	{name: "UnknownIndexIsRefused", test: putUnknown},
	{name: "PairFromBeforeADeleteIsRefused", needs: indexes, test: putReborn},
	{name: "IndexOfAnotherValueIsRefused", needs: values, test: putValue},
	{name: "SameValueHasAnotherIndex", test: putSame},
	{name: "IndexNeverComesBack", needs: indexes, test: putIndexes},
}

func putWrites(tr *trial) {
	kv := tr.client()
	kv.wantPair(kv.create(tr.base, "a"))
	kv.wantPair(kv.swap(kv.get(tr.base), "b")) // from what was read
	pair := kv.swap(kv.get(tr.base), "c")
	kv.wantPair(kv.swap(pair, "d")) // from what was written
}

func putIndex(tr *trial) {
	kv, other := tr.client(), tr.client()
	written := kv.create(tr.base, "a")
	for range 5 {
		for _, c := range []*client{kv, other} {
			if read := c.get(tr.base); read.LastIndex != written.LastIndex {
				tr.Errorf("AtomicPut returned index %d, and Get finds %d", written.LastIndex, read.LastIndex)
			}
		}
		written = kv.swap(written, "b")
	}
}

func putOver(tr *trial) {
	kv := tr.client()
	pair := kv.create(tr.base, "a")
	kv.wantRefused(tr.base, nil, store.ErrKeyExists)
	kv.wantPair(pair)
	pair = kv.swap(pair, "b")
	tr.client().wantRefused(tr.base, nil, store.ErrKeyExists)
	kv.wantPair(pair)
}

func putStale(tr *trial) {
	kv, other := tr.client(), tr.client()
	first := kv.create(tr.base, "a")
	second := other.swap(first, "b")
	kv.wantRefused(tr.base, first, store.ErrKeyModified)
	kv.wantPair(second)
	// The same value does not make it fresh.
	third := other.swap(second, "a")
	kv.wantRefused(tr.base, first, store.ErrKeyModified)
	kv.wantRefused(tr.base, second, store.ErrKeyModified)
	kv.wantPair(third)
	kv.wantPair(kv.swap(third, "c"))
}

func putGone(tr *trial) {
	kv := tr.client()
	pair := kv.create(tr.base, "a")
	kv.remove(pair)
	kv.wantRefused(tr.base, pair, gone...)
	kv.wantMissing(tr.base)
}

// putMissing: a key cannot be created from the pair that a watch carries for a missing
// key.
func putMissing(tr *trial) {
	kv := tr.client()
	kv.wantRefused(tr.base, &store.KVPair{Key: tr.base}, gone...)
	kv.wantMissing(tr.base)
}

func putUnknown(tr *trial) {
	kv := tr.client()
	pair := kv.create(tr.base, "a")
	for _, index := range []uint64{0, pair.LastIndex + 1, pair.LastIndex - 1, pair.LastIndex + 1e6, 1<<63 - 1, 1 << 63, 1<<64 - 1} {
		if index != pair.LastIndex {
			kv.wantRefused(tr.base, &store.KVPair{Key: tr.base, Value: []byte("a"), LastIndex: index}, store.ErrKeyModified)
			kv.wantPair(pair)
		}
	}
}

func putReborn(tr *trial) {
	kv := tr.client()
	old := kv.create(tr.base, "a")
	kv.remove(old)
	pair := kv.create(tr.base, "a")
	kv.wantRefused(tr.base, old, store.ErrKeyModified)
	kv.wantPair(pair)
}

// putValue: after a backup was restored, other values get indexes that were used before.
func putValue(tr *trial) {
	kv := tr.client()
	pair := kv.create(tr.base, "a")
	for _, value := range otherValues {
		kv.wantRefused(tr.base, &store.KVPair{Key: tr.base, Value: value, LastIndex: pair.LastIndex}, store.ErrKeyModified)
		kv.wantPair(pair)
	}
	kv.wantPair(kv.swap(pair, "b"))
}

// otherValues are not "a".
var otherValues = [][]byte{[]byte("b"), []byte("A"), []byte("aa"), []byte("a\x00"), {}, nil}

func putSame(tr *trial) {
	kv := tr.client()
	pair := kv.create(tr.base, "a")
	seen := map[uint64]bool{pair.LastIndex: true}
	for range 10 {
		pair = kv.swap(pair, "a")
		if seen[pair.LastIndex] {
			tr.Fatalf("index %d was given twice", pair.LastIndex)
		}
		seen[pair.LastIndex] = true
	}
	kv.wantPair(pair)
}

func putIndexes(tr *trial) {
	kv := tr.client()
	seen := make(map[uint64]bool)
	for range 5 {
		pair := kv.create(tr.base, "a")
		for range 2 {
			if seen[pair.LastIndex] {
				tr.Fatalf("index %d came back after the key was deleted", pair.LastIndex)
			}
			seen[pair.LastIndex] = true
			pair = kv.swap(pair, "a")
		}
		if seen[pair.LastIndex] {
			tr.Fatalf("index %d came back after the key was deleted", pair.LastIndex)
		}
		seen[pair.LastIndex] = true
		kv.remove(pair)
	}
}

var deleteChecks = []check{
	{name: "DeletesWhatIsUnchanged", test: deletes},
	{name: "StaleIsRefused", test: deleteStale},
	{name: "GoneIsRefused", test: deleteGone},
	{name: "PreviousMustBeGiven", test: deleteAnything},
	{name: "PairFromBeforeADeleteIsRefused", needs: indexes, test: deleteReborn},
	{name: "IndexOfAnotherValueIsRefused", needs: values, test: deleteValue},
}

func deletes(tr *trial) {
	kv := tr.client()
	other := kv.create(tr.base+"/other", "other")
	kv.remove(kv.create(tr.base, "a"))
	kv.wantMissing(tr.base)
	kv.create(tr.base, "b")
	kv.remove(kv.get(tr.base))
	kv.wantMissing(tr.base)
	kv.wantPair(other)
}

func deleteStale(tr *trial) {
	kv := tr.client()
	first := kv.create(tr.base, "a")
	second := kv.swap(first, "b")
	kv.wantKept(tr.base, first, store.ErrKeyModified)
	kv.wantPair(second)
	third := kv.swap(second, "a")
	kv.wantKept(tr.base, first, store.ErrKeyModified)
	kv.wantPair(third)
}

func deleteGone(tr *trial) {
	kv := tr.client()
	pair := kv.create(tr.base, "a")
	kv.remove(pair)
	kv.wantKept(tr.base, pair, gone...)
	kv.wantKept(tr.base, &store.KVPair{Key: tr.base}, gone...)
	kv.wantMissing(tr.base)
}

func deleteAnything(tr *trial) {
	kv := tr.client()
	kv.wantKept(tr.base, nil, store.ErrPreviousNotSpecified)
	pair := kv.create(tr.base, "a")
	kv.wantKept(tr.base, nil, store.ErrPreviousNotSpecified)
	kv.wantPair(pair)
}

func deleteReborn(tr *trial) {
	kv := tr.client()
	old := kv.create(tr.base, "a")
	kv.remove(old)
	pair := kv.create(tr.base, "a")
	kv.wantKept(tr.base, old, store.ErrKeyModified)
	kv.wantPair(pair)
}

func deleteValue(tr *trial) {
	kv := tr.client()
	pair := kv.create(tr.base, "a")
	for _, value := range otherValues {
		kv.wantKept(tr.base, &store.KVPair{Key: tr.base, Value: value, LastIndex: pair.LastIndex}, store.ErrKeyModified)
		kv.wantPair(pair)
	}
	kv.remove(pair)
}
