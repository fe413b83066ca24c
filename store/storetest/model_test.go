package storetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

var errLost = errors.New("connection lost")

// at makes an operation that lasts from one tick to another.
func at(began, ended int, op operation) operation {
	op.key, op.began, op.took = "key", time.Duration(began), time.Duration(ended-began)
	return op
}

func pair(value string, index uint64) *store.KVPair {
	return &store.KVPair{Key: "key", Value: []byte(value), LastIndex: index}
}

func get(value string, index uint64) operation {
	return operation{kind: opGet, pair: pair(value, index)}
}

func getNothing() operation { return operation{kind: opGet, err: store.ErrKeyNotFound} }

func put(previous *store.KVPair, value string, index uint64) operation {
	return operation{kind: opPut, previous: previous, value: value, pair: pair(value, index)}
}

func putFails(previous *store.KVPair, value string, err error) operation {
	return operation{kind: opPut, previous: previous, value: value, err: err}
}

func remove(previous *store.KVPair, err error) operation {
	return operation{kind: opDelete, previous: previous, err: err}
}

func TestModelKnowsWhatCanHaveHappened(t *testing.T) {
	for _, c := range []struct {
		name     string
		restarts bool
		wrong    bool
		history  []operation
	}{
		{name: "nothing"},
		{name: "read of what was written", history: []operation{at(0, 1, put(nil, "a", 1)), at(2, 3, get("a", 1))}},
		{name: "read of what was replaced", wrong: true, history: []operation{at(0, 1, put(nil, "a", 1)), at(2, 3, put(pair("a", 1), "b", 2)), at(4, 5, get("a", 1))}},
		{name: "read of what is being replaced", history: []operation{at(0, 1, put(nil, "a", 1)), at(2, 5, put(pair("a", 1), "b", 2)), at(3, 4, get("a", 1))}},
		{name: "reads that go back", wrong: true, history: []operation{at(0, 1, put(nil, "a", 1)), at(2, 9, put(pair("a", 1), "b", 2)), at(3, 4, get("b", 2)), at(5, 6, get("a", 1))}},
		{name: "read of nothing after a write", wrong: true, history: []operation{at(0, 1, put(nil, "a", 1)), at(2, 3, getNothing())}},
		{name: "read of nothing after a delete", history: []operation{at(0, 1, put(nil, "a", 1)), at(2, 3, remove(pair("a", 1), nil)), at(4, 5, getNothing())}},

		{name: "two creates", wrong: true, history: []operation{at(0, 5, put(nil, "a", 1)), at(0, 5, put(nil, "b", 2))}},
		{name: "two swaps of one state", wrong: true, history: []operation{at(0, 1, put(nil, "a", 1)), at(2, 5, put(pair("a", 1), "b", 2)), at(2, 5, put(pair("a", 1), "c", 3))}},
		{name: "refused without a reason", wrong: true, history: []operation{at(0, 1, put(nil, "a", 1)), at(2, 3, putFails(pair("a", 1), "b", store.ErrKeyModified))}},
		{name: "refused as gone, and there", wrong: true, history: []operation{at(0, 1, put(nil, "a", 1)), at(2, 3, putFails(pair("x", 9), "b", store.ErrKeyNotFound))}},
		{name: "refused as existing, and missing", wrong: true, history: []operation{at(0, 1, putFails(nil, "a", store.ErrKeyExists))}},
		{name: "refused and written", wrong: true, history: []operation{at(0, 1, put(nil, "a", 1)), at(2, 3, putFails(pair("x", 9), "b", store.ErrKeyModified)), at(4, 5, get("b", 2))}},
		{name: "refused, for another was first", history: []operation{at(0, 1, put(nil, "a", 1)), at(2, 5, putFails(pair("a", 1), "b", store.ErrKeyModified)), at(2, 5, put(pair("a", 1), "c", 2))}},

		{name: "lost, and found", history: []operation{at(0, 1, putFails(nil, "a", errLost)), at(2, 3, get("a", 1))}},
		{name: "lost, and not found", history: []operation{at(0, 1, putFails(nil, "a", errLost)), at(2, 3, getNothing())}},
		{name: "lost, and found late", history: []operation{at(0, 1, putFails(nil, "a", errLost)), at(2, 3, getNothing()), at(4, 5, get("a", 1))}},
		{name: "lost, found, and lost again", wrong: true, history: []operation{at(0, 1, putFails(nil, "a", errLost)), at(2, 3, get("a", 1)), at(4, 5, getNothing())}},
		{name: "lost, and found before it began", wrong: true, history: []operation{at(0, 1, get("a", 1)), at(2, 3, putFails(nil, "a", errLost))}},
		{name: "lost delete that happened", history: []operation{at(0, 1, put(nil, "a", 1)), at(2, 3, remove(pair("a", 1), errLost)), at(4, 5, getNothing())}},
		{name: "lost delete that did not", history: []operation{at(0, 1, put(nil, "a", 1)), at(2, 3, remove(pair("a", 1), errLost)), at(4, 5, get("a", 1))}},
		{name: "lost swap of what was stale", wrong: true, history: []operation{at(0, 1, put(nil, "a", 1)), at(2, 3, put(pair("a", 1), "b", 2)), at(4, 5, putFails(pair("a", 1), "c", errLost)), at(6, 7, get("c", 3))}},
		{name: "lost, not found by anyone, and in the way", history: []operation{at(0, 1, put(nil, "a", 1)), at(2, 3, putFails(pair("a", 1), "b", errLost)), at(4, 5, putFails(pair("a", 1), "c", store.ErrKeyModified))}},
		{name: "lost read", history: []operation{at(0, 1, operation{kind: opGet, err: errLost})}},

		{name: "index that came back", wrong: true, history: []operation{at(0, 1, put(nil, "a", 1)), at(2, 3, remove(pair("a", 1), nil)), at(4, 5, put(nil, "b", 1))}},
		{name: "index that may come back", restarts: true, history: []operation{at(0, 1, put(nil, "a", 1)), at(2, 3, remove(pair("a", 1), nil)), at(4, 5, put(nil, "b", 1)), at(6, 7, put(pair("a", 1), "c", 2))}},
		{name: "swap of what nobody saw", wrong: true, history: []operation{at(0, 1, put(nil, "a", 1)), at(2, 3, remove(pair("a", 1), nil)), at(4, 5, putFails(nil, "b", errLost)), at(6, 7, put(pair("a", 1), "c", 2))}},
		{name: "swap of what nobody saw, as its index may have come back", restarts: true, history: []operation{at(0, 1, put(nil, "a", 1)), at(2, 3, remove(pair("a", 1), nil)), at(4, 5, putFails(nil, "b", errLost)), at(6, 7, put(pair("a", 1), "c", 2))}},
		{name: "index that changes", wrong: true, history: []operation{at(0, 1, put(nil, "a", 1)), at(2, 3, get("a", 2))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := linearizable(c.history, c.restarts, decideWithin)
			if (err != nil) != c.wrong {
				t.Errorf("%v for\n%s", err, text(c.history))
			}
		})
	}
}

// TestUndecidedHistoryIsNoPass: if all calls are under way at once any order is possible,
// and there are too many to try.
func TestUndecidedHistoryIsNoPass(t *testing.T) {
	history := []operation{at(200, 201, get("never written", 7))}
	for range 60 {
		history = append(history, at(0, 100, getNothing()))
	}
	err := linearizable(history, false, 100*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("%v; want an error that says that there was no answer", err)
	}
}
