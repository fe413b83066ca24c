package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/goroutines"
	"github.com/seed-a1d591d3/leadership/store"
)

var cutChecks = []check{
	{name: "CallsGoOnWithTheSameClient", needs: cuts, test: cutCalls},
	{name: "WatchGoesOnOrEnds", needs: cuts, test: cutWatch},
}

var restartChecks = []check{
	{name: "CallsFailInTimeWhileItIsDown", needs: server, test: downCalls},
	{name: "CallsGoOnWithTheSameClient", needs: server, test: restartCalls},
	{name: "WatchGoesOnOrEnds", needs: server, test: restartWatch},
}

var frozenChecks = []check{
	{name: "GetEndsWithItsContext", needs: server, test: frozenCall("Get")},
	{name: "GetManyEndsWithItsContext", needs: server, test: frozenCall("GetMany")},
	{name: "CreateEndsWithItsContext", needs: server, test: frozenCall("Create")},
	{name: "AtomicPutEndsWithItsContext", needs: server, test: frozenCall("AtomicPut")},
	{name: "AtomicDeleteEndsWithItsContext", needs: server, test: frozenCall("AtomicDelete")},
	{name: "WatchEndsWithItsContext", needs: server, test: frozenCall("Watch")},
	{name: "ListEndsWithItsContext", needs: server, test: frozenCall("List")},
	{name: "OpenWatchesEndWithTheirContexts", needs: server, test: frozenWatch},
	{name: "StuckCallsDoNotPileUp", needs: server, test: frozenPile},
	{name: "CloseReturns", needs: server, test: frozenClose},
}

// stop stops the server, which is started again when the check ends.
func (tr *trial) stop() {
	tr.Cleanup(tr.start)
	tr.can.Server.Stop()
}

// start starts the server again, unless the check was given up: then another check uses
// the server, or it is gone.
func (tr *trial) start() {
	tr.mu.Lock()
	over := tr.over
	tr.mu.Unlock()
	if !over {
		tr.can.Server.Start()
	}
}

// freeze freezes the server, which continues when the check ends.
func (tr *trial) freeze() {
	tr.Cleanup(tr.can.Server.Thaw)
	tr.can.Server.Freeze()
}

// settle tries to write value under key until it is there: on a lost connection a write
// may fail, or succeed without an answer.
func (c *client) settle(key, value string) *store.KVPair {
	c.tr.Helper()
	var pair *store.KVPair
	c.tr.eventually("a write succeeds", func() error {
		ctx, cancel := context.WithTimeout(c.tr.Context(), time.Second)
		defer cancel()
		var err error
		pair, err = c.Get(ctx, key, nil)
		switch {
		case errors.Is(err, store.ErrKeyNotFound):
			pair = nil
		case err != nil:
			return err
		case string(pair.Value) == value:
			return nil
		}
		_, pair, err = c.AtomicPut(ctx, key, []byte(value), pair, nil)
		return err
	})
	return pair
}

// wantStanding wants the writes that were acknowledged before an outage to be there, and
// calls of the client from before it to work.
func (c *client) wantStanding(stale, pair *store.KVPair) *store.KVPair {
	c.tr.Helper()
	var read *store.KVPair
	c.tr.eventually("a read succeeds", func() error {
		ctx, cancel := context.WithTimeout(c.tr.Context(), time.Second)
		defer cancel()
		var err error
		read, err = c.Get(ctx, pair.Key, nil)
		if errors.Is(err, store.ErrKeyNotFound) {
			c.tr.Errorf("Get found nothing; %s was acknowledged", describe(pair))
			return nil
		}
		return err
	})
	if read == nil {
		c.tr.FailNow()
	}
	c.tr.wantEqual("Get", read, pair)
	c.tr.eventually("a stale write is refused", func() error {
		ctx, cancel := context.WithTimeout(c.tr.Context(), time.Second)
		defer cancel()
		_, _, err := c.AtomicPut(ctx, stale.Key, []byte("refused"), stale, nil)
		if errors.Is(err, store.ErrKeyModified) {
			return nil
		}
		if err == nil {
			c.tr.Errorf("AtomicPut accepted %s, after %s", describe(stale), describe(pair))
		}
		return err
	})
	return c.settle(pair.Key, string(pair.Value)+", and more")
}

// wantHeldOrEnded wants a watch from before an outage to carry what was written since, or
// to have ended. Then a new watch must carry it.
func (w *watch) wantHeldOrEnded(kv *client, want *store.KVPair) {
	w.tr.Helper()
	limit := time.Now().Add(w.tr.patience)
	for {
		pair, told, ended := w.within(time.Until(limit))
		if told && pair.LastIndex == want.LastIndex {
			w.tr.wantEqual("the watch", pair, want)
			w.tr.Logf("the watch went on")
			return
		}
		if ended {
			w.tr.Logf("the watch ended")
			break
		}
		if !told {
			w.tr.Fatalf("the watch neither told %s nor ended in %v", describe(want), w.tr.patience)
		}
	}
	w.tr.eventually("a new watch tells the state", func() error {
		ctx, cancel := context.WithTimeout(w.tr.Context(), time.Second)
		defer cancel()
		pairs, err := kv.Watch(ctx, w.key, nil)
		if err != nil {
			return err
		}
		if pair := <-pairs; pair == nil || pair.LastIndex != want.LastIndex {
			return fmt.Errorf("it told %s; want %s", describe(pair), describe(want))
		}
		return nil
	})
}

func cutCalls(tr *trial) {
	kv, other := tr.client(), tr.client()
	stale := kv.create(tr.base, "a")
	pair := kv.swap(stale, "b")
	for range 3 {
		tr.can.Cut()
		stale, pair = pair, kv.wantStanding(stale, pair)
		other.wantStanding(stale, pair)
		pair = kv.settle(tr.base, string(pair.Value)+", and more")
	}
}

func cutWatch(tr *trial) {
	kv, other := tr.client(), tr.client()
	kv.create(tr.base, "a")
	for i := range 3 {
		w := other.watchAnyhow(tr.base)
		w.next()
		tr.can.Cut()
		want := kv.settle(tr.base, fmt.Sprintf("after %d cuts", i+1))
		w.wantHeldOrEnded(other, want)
		w.cancel()
	}
}

// watchAnyhow is watch for a client whose connections may still be lost.
func (c *client) watchAnyhow(key string) *watch {
	c.tr.Helper()
	ctx, cancel := context.WithCancel(c.tr.Context())
	c.tr.Cleanup(cancel)
	var pairs <-chan *store.KVPair
	c.tr.eventually("a watch begins", func() (err error) {
		pairs, err = c.Watch(ctx, key, nil)
		return err
	})
	return &watch{tr: c.tr, key: key, pairs: pairs, cancel: cancel}
}

func restartCalls(tr *trial) {
	kv, other := tr.client(), tr.client()
	stale := kv.create(tr.base, "a")
	pair := kv.swap(stale, "b")
	tr.stop()
	tr.start()
	began := time.Now()
	next := kv.wantStanding(stale, pair)
	tr.Logf("calls went on %v after the server was back", time.Since(began).Round(time.Millisecond))
	other.wantStanding(pair, next)
}

func restartWatch(tr *trial) {
	kv, other := tr.client(), tr.client()
	kv.create(tr.base, "a")
	w := other.watch(tr.base)
	w.next()
	tr.stop()
	tr.start()
	w.wantHeldOrEnded(other, kv.settle(tr.base, "b"))
}

func downCalls(tr *trial) {
	kv := tr.client()
	pair := kv.create(tr.base, "a")
	tr.stop()
	for _, name := range []string{"Get", "AtomicPut", "AtomicDelete", "List"} {
		tr.wantInTime(kv, name, pair)
	}
	tr.start()
}

// frozenCall: a call returns in time after its context has ended, even if the server does
// not answer; and when the server continues, the client works as before.
func frozenCall(name string) func(*trial) {
	return func(tr *trial) {
		kv := tr.client()
		pair := kv.create(tr.base, "a")
		kv.wantPair(pair)
		tr.freeze()
		tr.wantInTime(kv, name, pair)
		tr.can.Server.Thaw()
		kv.settle(tr.base, "after it")
	}
}

// wantInTime repeats a call that cannot succeed and wants it to return in time after its
// context has ended: in the median, because a busy machine is sometimes late.
func (tr *trial) wantInTime(kv *client, name string, pair *store.KVPair) {
	tr.Helper()
	const patient = 40 * time.Millisecond
	var late []time.Duration
	for range 5 {
		ctx, cancel := context.WithTimeout(tr.Context(), patient)
		began := time.Now()
		reply := make(chan error, 1)
		go func() { reply <- methods[name](ctx, kv, pair) }()
		select {
		case err := <-reply:
			late = append(late, time.Since(began)-patient)
			switch {
			case err == nil && name != "Watch":
				tr.Errorf("%s succeeded on a server that does not answer", name)
			case isAny(err, refusals...):
				tr.Errorf("%s on a server that does not answer: %v", name, err)
			}
		case <-time.After(time.Second):
			cancel()
			tr.Fatalf("%s has not returned a second after its context ended", name)
		}
		cancel()
	}
	slices.Sort(late)
	if late[len(late)/2] > promptly {
		tr.Errorf("%s returned %v after its context ended, in the median; want %v at most", name, late[len(late)/2], promptly)
	}
}

func frozenWatch(tr *trial) {
	kv := tr.client()
	kv.create(tr.base+"/a", "a")
	read, unread := kv.watches(true), kv.watches(false)
	tr.freeze()
	time.Sleep(20 * time.Millisecond)
	tr.wantEnd(true, read, func(w *watch) { w.cancel() })
	tr.wantEnd(false, unread, func(w *watch) { w.cancel() })
	tr.can.Server.Thaw()
}

// frozenPile: the number of goroutines that calls leave behind when their contexts end is
// bounded. It may grow up to the size of a pool of connections.
func frozenPile(tr *trial) {
	const calls, rounds = 100, 8
	kv := tr.client()
	pair := kv.create(tr.base, "a")
	tr.freeze()
	var counts []int
	goroutines.Of(func(count func() int) {
		for last := 0; ; last = counts[len(counts)-1] {
			for i := range calls {
				ctx, cancel := context.WithTimeout(tr.Context(), 3*time.Millisecond)
				_ = methods[[]string{"Get", "AtomicPut"}[i%2]](ctx, kv, pair)
				cancel()
			}
			now := count()
			counts = append(counts, now)
			if now <= last+calls/5 {
				break
			}
			if len(counts) > rounds {
				tr.Errorf("calls that get no answer pile up: goroutines after every %d of them: %v", calls, counts)
				break
			}
		}
	})
	tr.Logf("goroutines after every %d calls that got no answer: %v", calls, counts)
	tr.can.Server.Thaw()
	kv.settle(tr.base, "after it")
}

func frozenClose(tr *trial) {
	kv := tr.client()
	kv.create(tr.base+"/a", "a")
	watches := kv.watches(true)
	tr.freeze()
	began := time.Now()
	tr.within("Close on a frozen server", func() { kv.Close() })
	if took := time.Since(began); took > 5*time.Second {
		tr.Errorf("Close took %v on a frozen server", took)
	}
	tr.can.Server.Thaw()
	tr.wantClosed(watches)
}
