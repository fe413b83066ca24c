package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

var belowChecks = []check{
	{name: "StandsFirst", test: below(belowStands)},
	{name: "CreateIsTold", test: below(belowCreate)},
	{name: "ChangeIsTold", test: below(belowChange)},
	{name: "DeleteIsTold", test: below(belowDelete)},
	{name: "OtherKeysAreNotTold", test: below(belowOthers)},
	{name: "DirectoryIsNoPattern", test: below(belowPattern)},
	{name: "ViewIsToldItsOwnKeys", test: below(belowView)},
	{name: "LastChangeIsTold", test: below(belowLast)},
	{name: "SlowReaderIsToldOfEachKey", test: below(belowSlow)},
	{name: "HintsThatBeginAmidChangesMissNone", test: below(belowAmid)},
	{name: "IsRefusedAfterClose", test: below(belowLater)},
	{name: "EndedContextPreventsIt", test: below(belowEnded)},
	{name: "EndsWithItsContext", test: below(belowEnds(true))},
	{name: "EndsWithItsContextUnread", test: below(belowEnds(false))},
	{name: "EndsOnClose", test: below(belowCloses(true))},
	{name: "EndsOnCloseUnread", test: below(belowCloses(false))},
	{name: "LeavesNoGoroutine", test: below(belowLeak)},
	{name: "GoesOnOrEndsWhenCut", needs: cuts, test: below(belowCut)},
	{name: "GoesOnOrEndsWhenTheServerRestarts", needs: server, test: below(belowRestart)},
}

// HintsBelow implements store.TreeHinter, by the store under test if that does.
func (c *client) HintsBelow(ctx context.Context, directory string) (<-chan *store.KVPair, error) {
	return store.HintsBelow(ctx, c.Store, directory)
}

// below is a check of a store that can watch directories. For others there is nothing to check.
func below(test func(*trial)) func(*trial) {
	return func(tr *trial) {
		kv := tr.client()
		ctx, cancel := context.WithCancel(tr.soon())
		defer cancel()
		_, err := kv.HintsBelow(ctx, tr.base+"/")
		if errors.Is(err, store.ErrCallNotSupported) {
			tr.Logf("left out: %v", err)
			return
		}
		test(tr)
	}
}

// below watches a directory until the end of the check.
func (c *client) below(directory string) *watch {
	c.tr.Helper()
	ctx, cancel := context.WithCancel(c.tr.Context())
	c.tr.Cleanup(cancel)
	var pairs <-chan *store.KVPair
	var err error
	c.tr.within("HintsBelow", func() { pairs, err = c.HintsBelow(ctx, directory) })
	if err != nil || pairs == nil {
		c.tr.Fatalf("HintsBelow(%q) = %v, %v", directory, pairs, err)
	}
	return &watch{tr: c.tr, key: directory, pairs: pairs, cancel: cancel, below: true}
}

// checkHint wants a pair that may come from HintsBelow.
func (w *watch) checkHint(pair *store.KVPair) {
	w.tr.Helper()
	switch {
	case pair == nil:
		w.tr.Fatalf("the hints below %q have nil", w.key)
	case pair.Key != "" && (len(pair.Key) <= len(w.key) || !strings.HasPrefix(pair.Key, w.key)):
		w.tr.Errorf("the hints below %q have %s", w.key, describe(pair))
	case (pair.Key == "" || pair.Value == nil) && (pair.Value != nil || pair.LastIndex != 0):
		w.tr.Errorf("the hints below %q have %s, which is neither a state nor a key to read", w.key, describe(pair))
	}
}

// stands reads until the watch stands.
func (w *watch) stands() {
	w.tr.Helper()
	if pair := w.next(); pair.Key != "" {
		w.tr.Errorf("the hints below %q begin with %s; want an empty key", w.key, describe(pair))
	}
	w.drained()
}

// drained reads until there is nothing more. What it reads is checked.
func (w *watch) drained() {
	w.tr.Helper()
	for told := true; told; {
		_, told, _ = w.within(50 * time.Millisecond)
	}
}

// hints reads until there is a hint about each of these states.
func (w *watch) hints(want ...*store.KVPair) {
	w.tr.Helper()
	wanted := make(map[string]*store.KVPair)
	for _, pair := range want {
		wanted[pair.Key] = pair
	}
	limit := time.Now().Add(w.tr.patience)
	for len(wanted) > 0 {
		pair, told, ended := w.within(time.Until(limit))
		if ended || !told {
			w.tr.Fatalf("of %d keys that have changed %d were not told in %v (the hints have ended: %v)", len(want), len(wanted), w.tr.patience, ended)
		}
		if pair.Key == "" {
			return
		}
		last := wanted[pair.Key]
		switch {
		case last == nil:
		case pair.Value == nil:
			delete(wanted, pair.Key)
		case pair.LastIndex == last.LastIndex:
			w.tr.wantEqual("the hint", pair, last)
			delete(wanted, pair.Key)
		case pair.LastIndex > last.LastIndex && last.Value != nil:
			w.tr.Errorf("the hint has %s after %s", describe(pair), describe(last))
		}
	}
}

func belowStands(tr *trial) {
	kv := tr.client()
	kv.below(tr.base + "/").stands()
	kv.create(tr.base+"/a", "a")
	for range 3 {
		kv.below(tr.base + "/").stands()
	}
}

func belowCreate(tr *trial) {
	kv, other := tr.client(), tr.client()
	mine, theirs := kv.below(tr.base+"/"), other.below(tr.base+"/")
	mine.stands()
	theirs.stands()
	for _, name := range []string{"/a", "/b", "/c/d"} {
		pair := kv.create(tr.base+name, "a")
		mine.hints(pair)
		theirs.hints(pair)
	}
}

func belowChange(tr *trial) {
	kv, other := tr.client(), tr.client()
	pair := kv.create(tr.base+"/a", "a")
	w := other.below(tr.base + "/")
	w.stands()
	for _, value := range []string{"b", "b", "", "c"} {
		pair = kv.swap(pair, value)
		w.hints(pair)
	}
}

func belowDelete(tr *trial) {
	kv, other := tr.client(), tr.client()
	pair := kv.create(tr.base+"/a", "a")
	w := other.below(tr.base + "/")
	w.stands()
	for range 3 {
		kv.remove(pair)
		w.hints(&store.KVPair{Key: pair.Key})
		pair = kv.create(tr.base+"/a", "a")
		w.hints(pair)
		w.drained()
	}
}

func belowOthers(tr *trial) {
	kv := tr.client()
	b := tr.base
	w := kv.below(b + "/a/")
	w.stands()
	for _, pair := range kv.createAll(b, b+"/", b+"/a", b+"/a/", b+"/aa", b+"/A/b", b+"/b/a", b+"a/b") {
		kv.swap(pair, "changed")
	}
	w.drained()
	w.hints(kv.create(b+"/a/b", "a"))
}

func belowPattern(tr *trial) {
	kv := tr.client()
	for _, name := range []string{"/*/", "/?/", "/[a]/", `/\a/`, "/^a/", "/a-z/", "/%/", "/_/"} {
		w := kv.below(tr.base + name)
		w.stands()
		w.hints(kv.create(tr.base+name+"a", "a"))
		if strings.Trim(name, "/") != "a" {
			kv.write(tr.base+"/a"+"/of "+name[1:2], "a", nil, 0)
		}
		w.drained()
	}
}

// belowView: a view of the store by store.WithPrefix.
func belowView(tr *trial) {
	kv := tr.client()
	view := &client{store.WithPrefix(kv, tr.base+"/"), tr}
	w := view.below("a/")
	w.stands()
	w.hints(view.create("a/b", "a"))
	view.create("b/a", "a")
	w.drained()
}

func belowLast(tr *trial) {
	kv, other := tr.client(), tr.client()
	w := other.below(tr.base + "/")
	w.stands()
	for i := range 5 {
		pair := kv.churn(fmt.Sprint(tr.base, "/", i), 12)
		w.hints(pair)
		kv.remove(kv.swap(pair, "last"))
		w.hints(&store.KVPair{Key: pair.Key})
	}
}

// belowSlow: the hints are not read while many keys change.
func belowSlow(tr *trial) {
	kv, other := tr.client(), tr.client()
	w := other.below(tr.base + "/")
	w.stands()
	for range 2 {
		var last []*store.KVPair
		for i := range 40 {
			pair := kv.settle(fmt.Sprint(tr.base, "/", i), "a")
			last = append(last, kv.swap(pair, "b"))
		}
		time.Sleep(50 * time.Millisecond)
		w.hints(last...)
		w.drained()
	}
}

// belowAmid: what changes after a watch has begun is told.
func belowAmid(tr *trial) {
	kv, other := tr.client(), tr.client()
	pair := kv.create(tr.base+"/a", "a")
	for range 10 {
		w := other.below(tr.base + "/")
		if first := w.next(); first.Key != "" {
			tr.Errorf("the hints begin with %s; want an empty key", describe(first))
		}
		pair = kv.swap(pair, "b")
		w.hints(pair)
		w.cancel()
	}
}

func belowLater(tr *trial) {
	kv := tr.client()
	kv.below(tr.base + "/").stands()
	if err := kv.Close(); err != nil {
		tr.Errorf("Close: %v", err)
	}
	if _, err := kv.HintsBelow(tr.soon(), tr.base+"/"); !errors.Is(err, store.ErrClosed) {
		tr.Errorf("HintsBelow after Close: %v; want ErrClosed", err)
	}
}

func belowEnded(tr *trial) {
	ctx, cancel := context.WithCancel(tr.Context())
	cancel()
	if _, err := tr.client().HintsBelow(ctx, tr.base+"/"); !errors.Is(err, context.Canceled) {
		tr.Errorf("HintsBelow with a cancelled context: %v; want context.Canceled", err)
	}
}

// belows watches directories. If they are not read, they always have a hint to deliver.
func (c *client) belows(read bool) []*watch {
	c.tr.Helper()
	watches := make([]*watch, 6)
	for i := range watches {
		watches[i] = c.below(c.tr.base + []string{"/", "/none/"}[i%2])
		if read {
			watches[i].next()
		}
	}
	time.Sleep(20 * time.Millisecond)
	return watches
}

func belowEnds(read bool) func(*trial) {
	return func(tr *trial) {
		tr.wantEnd(read, tr.client().belows(read), func(w *watch) { w.cancel() })
	}
}

func belowCloses(read bool) func(*trial) {
	return func(tr *trial) {
		kv := tr.client()
		tr.wantEnd(read, kv.belows(read), func(*watch) { kv.Close() })
	}
}

func belowLeak(tr *trial) { wantNoLeak(tr, tr.client().belows) }

func belowCut(tr *trial) {
	belowOutage(tr, func() {
		for range 3 {
			tr.can.Cut()
			time.Sleep(10 * time.Millisecond)
		}
	})
}

func belowRestart(tr *trial) {
	belowOutage(tr, func() {
		tr.stop()
		time.Sleep(50 * time.Millisecond)
		tr.can.Server.Start()
	})
}

// belowOutage: after an outage a change is told, or the watch has ended and a new one stands.
func belowOutage(tr *trial, outage func()) {
	kv, other := tr.client(), tr.client()
	w := other.below(tr.base + "/")
	w.stands()
	w.hints(kv.create(tr.base+"/a", "a"))
	outage()
	pair := kv.settle(tr.base+"/a", "b")
	limit := time.Now().Add(tr.patience)
	for {
		hint, told, ended := w.within(time.Until(limit))
		switch {
		case told && (hint.Key == "" || hint.Value == nil || hint.LastIndex == pair.LastIndex):
			tr.Logf("the watch went on")
			w.drained()
			w.hints(kv.settle(tr.base+"/a", "c"))
			return
		case told:
			continue
		case !ended:
			tr.Fatalf("the watch neither told %s nor ended in %v", describe(pair), tr.patience)
		}
		break
	}
	tr.Logf("the watch ended")
	tr.eventually("a new watch stands", func() error {
		ctx, cancel := context.WithTimeout(tr.Context(), time.Second)
		defer cancel()
		_, err := other.HintsBelow(ctx, tr.base+"/")
		return err
	})
}
