package sqlite_test

import (
	"testing"

	"github.com/seed-a1d591d3/leadership/store"
)

func BenchmarkGet(b *testing.B) {
	kv := openURL(b, newFile(b))
	defer kv.Close()
	put(b, kv, key, "value", nil, 0)
	for b.Loop() {
		if _, err := kv.Get(b.Context(), key, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAtomicPut(b *testing.B) {
	kv := openURL(b, newFile(b))
	defer kv.Close()
	value := make([]byte, 200)
	var previous *store.KVPair
	for b.Loop() {
		_, pair, err := kv.AtomicPut(b.Context(), key, value, previous, nil)
		if err != nil {
			b.Fatal(err)
		}
		previous = pair
	}
}
