package storetest

import (
	"bytes"

	"github.com/seed-a1d591d3/leadership/store"
)

var valueChecks = []check{
	{name: "Nil", test: valueTest(func() []byte { return nil })},
	{name: "Empty", test: valueTest(func() []byte { return []byte{} })},
	{name: "OneByte", test: valueTest(func() []byte { return []byte{0} })},
	{name: "64KiB", test: valueTest(func() []byte { return bytes.Repeat([]byte("0123456789abcde\n"), 4096) })},
	{name: "AllBytes", test: valueTest(allBytes)},
	{name: "JSON", test: valueTest(func() []byte { return []byte(`{"v": 1, "leader": "ünder\u0000wood", "ttl": 1e3, "a": [null]}` + "\n") })},
}

// allBytes has every byte, next to many others, and is not UTF-8.
func allBytes() []byte {
	value := make([]byte, 0, 4*256)
	for i := range 256 {
		value = append(value, byte(i), byte(255-i), byte(i*7), byte(i))
	}
	return value
}

// valueTest: all methods return a value unchanged.
func valueTest(value func() []byte) func(*trial) {
	return func(tr *trial) {
		kv, other := tr.client(), tr.client()
		w := other.watch(tr.base)
		w.wantNext(w.missing())
		ok, pair, err := kv.AtomicPut(tr.soon(), tr.base, value(), nil, nil)
		for round := range 2 {
			if err != nil || !ok {
				tr.Fatalf("AtomicPut = %v, %v", ok, err)
			}
			want := &store.KVPair{Key: tr.base, Value: append([]byte{}, value()...), LastIndex: pair.LastIndex}
			tr.wantFound("AtomicPut", pair, tr.base)
			tr.wantEqual("AtomicPut", pair, want)
			kv.wantPair(want)
			other.wantPair(want)
			kv.wantMany(other, map[string]*store.KVPair{tr.base: want}, tr.base)
			told := w.next()
			tr.wantFound("Watch", told, tr.base)
			tr.wantEqual("the watch", told, want)
			for _, pair := range other.list(tr.base[:len(tr.base)-1]) {
				tr.wantEqual("List", pair, want)
			}
			if round == 0 {
				ok, pair, err = kv.AtomicPut(tr.soon(), tr.base, value(), kv.get(tr.base), nil)
			}
		}
	}
}
