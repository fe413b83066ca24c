package storetest

import (
	"context"
	"errors"
	"time"
)

var contextChecks = []check{
	{name: "EndedPreventsGet", test: endedPrevents("Get")},
	{name: "EndedPreventsGetMany", test: endedPrevents("GetMany")},
	{name: "EndedPreventsCreate", test: endedPrevents("Create")},
	{name: "EndedPreventsAtomicPut", test: endedPrevents("AtomicPut")},
	{name: "EndedPreventsAtomicDelete", test: endedPrevents("AtomicDelete")},
	{name: "EndedPreventsWatch", test: endedPrevents("Watch")},
	{name: "EndedPreventsList", test: endedPrevents("List")},
}

// endedPrevents: a call whose context has already ended fails and has no effect, not even
// later.
func endedPrevents(name string) func(*trial) {
	return func(tr *trial) {
		kv := tr.client()
		pair := kv.create(tr.base, "a")
		cancelled, cancel := context.WithCancel(tr.Context())
		cancel()
		for range 5 {
			if err := methods[name](cancelled, kv, pair); !errors.Is(err, context.Canceled) {
				tr.Errorf("%s with a cancelled context: %v; want context.Canceled", name, err)
			}
			if err := methods[name](tr.after(-time.Second), kv, pair); !errors.Is(err, context.DeadlineExceeded) {
				tr.Errorf("%s with a context whose deadline is over: %v; want context.DeadlineExceeded", name, err)
			}
		}
		unchanged := func() {
			kv.wantPair(pair)
			kv.wantMissing(tr.base + "/new")
		}
		unchanged()
		time.Sleep(40 * time.Millisecond)
		unchanged()
	}
}
