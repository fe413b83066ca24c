package storetest

import (
	"context"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

var watchChecks = []check{
	{name: "CurrentStateIsFirst", test: watchCurrent},
	{name: "MissingKeyIsFirst", test: watchMissing},
	{name: "CreateIsTold", test: watchCreate},
	{name: "ChangeIsTold", test: watchChange},
	{name: "DeleteIsTold", test: watchDelete},
	{name: "CreateAfterDeleteIsTold", test: watchRebirth},
	{name: "ExpiryIsTold", needs: ttl, test: watchExpiry},
	{name: "OtherKeysAreNotTold", test: watchOthers},
	{name: "LastChangeIsTold", test: watchLast},
	{name: "SlowReaderIsToldTheLastChange", test: watchSlow},
	{name: "WatchesThatBeginAmidChangesMissNone", test: watchAmid},
	{name: "StateIsNotToldTwice", test: watchTwice},
	{name: "ManyOfOneKey", test: watchMany},
	{name: "ManyOfDifferentKeys", test: watchKeys},
	{name: "EndsWithItsContext", test: watchEnds(true)},
	{name: "EndsWithItsContextUnread", test: watchEnds(false)},
	{name: "EndsOnClose", test: watchClose(true)},
	{name: "EndsOnCloseUnread", test: watchClose(false)},
	{name: "LeavesNoGoroutine", test: watchLeak},
}

// watch is a watch of one key, or of all below it.
type watch struct {
	tr     *trial
	key    string
	pairs  <-chan *store.KVPair
	cancel context.CancelFunc
	below  bool
}

// watch begins a watch, which ends at the end of the check.
func (c *client) watch(key string) *watch {
	c.tr.Helper()
	ctx, cancel := context.WithCancel(c.tr.Context())
	c.tr.Cleanup(cancel)
	pairs, err := c.Watch(ctx, key, nil)
	if err != nil || pairs == nil {
		c.tr.Fatalf("Watch(%q) = %v, %v", key, pairs, err)
	}
	return &watch{tr: c.tr, key: key, pairs: pairs, cancel: cancel}
}

// within returns the next pair of the watch within a time; told is false if there was
// none, or the watch has ended.
func (w *watch) within(d time.Duration) (pair *store.KVPair, told, ended bool) {
	w.tr.Helper()
	select {
	case pair, open := <-w.pairs:
		if open {
			w.check(pair)
		}
		return pair, open, !open
	case <-time.After(d):
		return nil, false, false
	}
}

// check wants a pair that a watch may carry.
func (w *watch) check(pair *store.KVPair) {
	w.tr.Helper()
	switch {
	case w.below:
		w.checkHint(pair)
	case pair == nil:
		w.tr.Fatalf("the watch of %q told nil", w.key)
	case pair.Key != w.key:
		w.tr.Errorf("the watch of %q told %s", w.key, describe(pair))
	case pair.Value == nil && pair.LastIndex != 0:
		w.tr.Errorf("the watch of %q told a missing key with index %d", w.key, pair.LastIndex)
	}
}

// next returns the next pair of the watch.
func (w *watch) next() *store.KVPair {
	w.tr.Helper()
	pair, told, ended := w.within(w.tr.patience)
	switch {
	case ended:
		w.tr.Fatalf("the watch of %q has ended", w.key)
	case !told:
		w.tr.Fatalf("the watch of %q told nothing in %v", w.key, w.tr.patience)
	}
	return pair
}

// missing is the pair that a watch carries for a missing key.
func (w *watch) missing() *store.KVPair { return &store.KVPair{Key: w.key} }

// wantNext wants the next pair of the watch to be want.
func (w *watch) wantNext(want *store.KVPair) {
	w.tr.Helper()
	w.tr.wantEqual("the watch", w.next(), want)
}

// until reads until the watch carries want.
func (w *watch) until(want *store.KVPair) {
	w.tr.Helper()
	limit := time.Now().Add(w.tr.patience)
	var last *store.KVPair
	for {
		pair, told, ended := w.within(time.Until(limit))
		switch {
		case ended:
			w.tr.Fatalf("the watch ended before it told %s; the last was %s", describe(want), describe(last))
		case !told:
			w.tr.Fatalf("the watch did not tell %s; the last was %s", describe(want), describe(last))
		case pair.LastIndex == want.LastIndex && (pair.Value == nil) == (want.Value == nil):
			w.tr.wantEqual("the watch", pair, want)
			return
		}
		last = pair
	}
}

// wantSilence wants the watch to stay open, and to carry nothing.
func (w *watch) wantSilence() {
	w.tr.Helper()
	pair, told, ended := w.within(30 * time.Millisecond)
	switch {
	case ended:
		w.tr.Errorf("the watch of %q has ended", w.key)
	case told:
		w.tr.Errorf("the watch of %q told %s though nothing has changed", w.key, describe(pair))
	}
}

func watchCurrent(tr *trial) {
	kv := tr.client()
	pair := kv.create(tr.base, "a")
	w := kv.watch(tr.base)
	w.wantNext(pair)
	w.wantSilence()
	pair = kv.swap(pair, "")
	kv.watch(tr.base).wantNext(pair) // empty, and not missing
}

func watchMissing(tr *trial) {
	kv := tr.client()
	w := kv.watch(tr.base)
	w.wantNext(w.missing())
	w.wantSilence()
	kv.remove(kv.create(tr.base, "a"))
	kv.watch(tr.base).wantNext(w.missing())
}

func watchCreate(tr *trial) {
	kv, other := tr.client(), tr.client()
	mine, theirs := kv.watch(tr.base), other.watch(tr.base)
	mine.wantNext(mine.missing())
	theirs.wantNext(mine.missing())
	pair := kv.create(tr.base, "a")
	mine.wantNext(pair)
	theirs.wantNext(pair)
}

func watchChange(tr *trial) {
	kv, other := tr.client(), tr.client()
	pair := kv.create(tr.base, "a")
	mine, theirs := kv.watch(tr.base), other.watch(tr.base)
	mine.wantNext(pair)
	theirs.wantNext(pair)
	for _, value := range []string{"b", "b", "", "c"} {
		pair = kv.swap(pair, value)
		mine.wantNext(pair)
		theirs.wantNext(pair)
	}
	mine.wantSilence()
}

func watchDelete(tr *trial) {
	kv, other := tr.client(), tr.client()
	pair := kv.create(tr.base, "a")
	mine, theirs := kv.watch(tr.base), other.watch(tr.base)
	mine.wantNext(pair)
	theirs.wantNext(pair)
	kv.remove(pair)
	mine.wantNext(mine.missing())
	theirs.wantNext(mine.missing())
	mine.wantSilence()
}

func watchRebirth(tr *trial) {
	kv, other := tr.client(), tr.client()
	pair := kv.create(tr.base, "a")
	w := other.watch(tr.base)
	w.wantNext(pair)
	for range 3 {
		kv.remove(pair)
		w.wantNext(w.missing())
		pair = kv.create(tr.base, "a")
		w.wantNext(pair)
	}
}

// watchExpiry: only the store itself reads the key.
func watchExpiry(tr *trial) {
	kv, other := tr.client(), tr.client()
	pair := kv.write(tr.base, "a", nil, tr.life())
	written := time.Now()
	mine, theirs := kv.watch(tr.base), other.watch(tr.base)
	mine.wantNext(pair)
	theirs.wantNext(pair)
	mine.wantNext(mine.missing())
	if late := time.Since(written) - tr.life(); late > tr.can.Expiry+time.Second {
		tr.Errorf("the watch told the expiry %v late; want %v at most, and a second", late, tr.can.Expiry)
	}
	theirs.wantNext(mine.missing())
}

func watchOthers(tr *trial) {
	kv := tr.client()
	b := tr.base
	pair := kv.create(b+"/a", "a")
	w := kv.watch(b + "/a")
	w.wantNext(pair)
	for _, pair := range kv.createAll(b, b+"/", b+"/a/", b+"/a/b", b+"/aa", b+"/A", b+"/b") {
		kv.swap(pair, "changed")
	}
	w.wantSilence()
	w.wantNext(kv.swap(pair, "b"))
	w.wantSilence()
}

// churn changes a key so many times, quickly, and returns its last state.
func (c *client) churn(key string, times int) *store.KVPair {
	c.tr.Helper()
	var pair *store.KVPair
	for i := range times {
		switch {
		case pair == nil:
			pair = c.create(key, "a")
		case i%7 == 0 && i != times-1:
			c.remove(pair)
			pair = nil
		default:
			pair = c.swap(pair, "b")
		}
	}
	return pair
}

// watchLast: of quick changes a watch may leave out any except the last.
func watchLast(tr *trial) {
	kv, other := tr.client(), tr.client()
	w := other.watch(tr.base)
	for range 5 {
		pair := kv.churn(tr.base, 12)
		w.until(pair)
		kv.remove(kv.swap(pair, "last"))
		w.until(w.missing())
	}
}

func watchSlow(tr *trial) {
	kv, other := tr.client(), tr.client()
	w := other.watch(tr.base)
	w.wantNext(w.missing())
	// The watch is not read during the changes and for some time after.
	pair := kv.churn(tr.base, 30)
	time.Sleep(30 * time.Millisecond)
	for range 30 {
		pair = kv.swap(pair, "c")
	}
	time.Sleep(50 * time.Millisecond)
	w.until(pair)
	w.wantSilence()
	kv.remove(kv.swap(pair, "d"))
	time.Sleep(50 * time.Millisecond)
	w.until(w.missing())
}

// watchAmid: there is no gap between the state with which a watch begins and the changes
// that it carries.
func watchAmid(tr *trial) {
	kv, other := tr.client(), tr.client()
	var watches []*watch
	pair := kv.create(tr.base, "a")
	for range 3 {
		began, written := make(chan struct{}), make(chan *store.KVPair, 1)
		go func() {
			defer close(written)
			for open := true; open; {
				select {
				case <-began:
					open = false
				default:
				}
				pair = kv.swap(pair, "b")
			}
			written <- pair
		}()
		for range 6 {
			watches = append(watches, other.watch(tr.base))
			time.Sleep(2 * time.Millisecond)
		}
		close(began)
		if pair = <-written; pair == nil {
			tr.FailNow()
		}
		for _, w := range watches {
			w.until(pair)
		}
	}
}

func watchTwice(tr *trial) {
	kv, other := tr.client(), tr.client()
	w := other.watch(tr.base)
	last := w.next()
	tr.wantEqual("the watch", last, w.missing())
	for range 10 {
		kv.remove(kv.swap(kv.create(tr.base, "a"), "b")) // while the watch is not read
		for {
			pair, told, _ := w.within(20 * time.Millisecond)
			if !told {
				break
			}
			if pair.LastIndex == last.LastIndex && (pair.Value == nil) == (last.Value == nil) {
				tr.Fatalf("the watch told %s twice in a row", describe(pair))
			}
			last = pair
		}
	}
}

func watchMany(tr *trial) {
	kv, other := tr.client(), tr.client()
	pair := kv.create(tr.base, "a")
	watches := make([]*watch, 20)
	for i := range watches {
		watches[i] = []*client{kv, other}[i%2].watch(tr.base)
	}
	for range 3 {
		for _, w := range watches {
			w.until(pair)
		}
		pair = kv.swap(pair, "b")
	}
	// That some end does not disturb the others.
	for _, w := range watches[10:] {
		w.cancel()
	}
	watches[0].until(pair)
	watches[0].wantSilence()
	pair = kv.swap(pair, "c")
	for _, w := range watches[:10] {
		w.until(pair)
	}
}

func watchKeys(tr *trial) {
	kv, other := tr.client(), tr.client()
	watches := make(map[string]*watch)
	for _, name := range []string{"/a", "/b", "/c", "/d", "/e", "/f", "/g", "/h"} {
		w := other.watch(tr.base + name)
		w.wantNext(w.missing())
		watches[w.key] = w
	}
	for key, w := range watches {
		w.wantNext(kv.create(key, key))
	}
	for _, w := range watches {
		w.wantSilence()
	}
}
