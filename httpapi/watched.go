package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/view"
	"github.com/seed-a1d591d3/leadership/internal/watches"
	"github.com/seed-a1d591d3/leadership/store"
)

const (
	// watchTick is how often a watched election is looked at as it stands here,
	// which asks nothing of the store: for a leader that has gone silent, and readers
	// that have left.
	watchTick = time.Second

	// watchLinger is for how many ticks an election that nobody reads, and that
	// is not observed, is watched on, so that whoever was cut off misses nothing.
	watchLinger = 15

	// followPause is how often an election is looked at that nobody renews, though
	// its watch says nothing.
	followPause = 15 * time.Second

	// watchAgain is how long after a store's watch has ended it is opened again.
	watchAgain = 5 * time.Second

	// renewedPause is how often one election's renewals are told, at most.
	renewedPause = 250 * time.Millisecond
)

// eventView is an event of one election in JSON.
type eventView struct {
	// Type is "leader" where somebody leads, "expired" where the leader has not
	// renewed its term in time, "vacant" where the seat is empty, and "unknown" where
	// it was so, or the leader's time is over, and the store does not tell what is.
	Type string `json:"type"`
	view.Election
}

// watched is an election that is followed, for its readers, or for the observer.
// The observer's mu guards all of it.
type watched struct {
	of     *observer
	key    string
	listed bool // the observer found it in the store when it looked last
	isNew  bool // and not when it looked first

	foreign bool // what is under the key is no election any more

	evicted chan struct{} // closed when others need its place

	feed    feed
	idle    int // ticks without a reader
	tally   tally
	last    []byte    // the latest line of feed
	renewed time.Time // when a renewal was told last
	read    []byte    // what the follower has read last; nil where there was nothing

	watch *watches.Watch // of the store; nil while nobody reads of the election
}

// reading is the store as the follower of an election reads it.
type reading struct {
	store.Store
	w *watched
}

// Get implements store.Store. It tells when the store is asked, and when it answers.
func (r reading) Get(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
	r.w.asks()
	pair, err := r.Store.Get(ctx, key, opts)
	switch {
	case ctx.Err() != nil: // the answer is out of date
	case err == nil:
		r.w.answered(pair.Value)
	case errors.Is(err, store.ErrKeyNotFound):
		r.w.answered(nil)
	}
	return pair, err
}

// Watch implements store.Store. It watches while somebody reads of the election: for
// metrics alone the follower's own looks will do.
func (r reading) Watch(ctx context.Context, key string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
	out := make(chan *store.KVPair)
	go func() {
		defer close(out)
		for ctx.Err() == nil {
			read, turned := r.w.isRead()
			if read {
				r.forward(ctx, key, out)
				continue
			}
			select {
			case <-ctx.Done():
			case <-turned:
			}
		}
	}()
	return out, nil
}

// forward passes on what the store's watch tells, always the latest, while somebody
// reads of the election, or until ctx ends. Only for that time does it have a place among
// the watches of the store.
func (r reading) forward(ctx context.Context, key string, out chan<- *store.KVPair) {
	latest := make(chan *store.KVPair, 1)
	watch := watches.Open(ctx, r.Store, key, func() time.Duration { return watchAgain }, func(pair *store.KVPair) {
		select {
		case <-latest:
		default:
		}
		latest <- pair // it is called by one goroutine at a time
	})
	r.w.watches(watch)
	defer func() {
		r.w.watches(nil)
		<-watch.Close()
	}()
	for {
		read, turned := r.w.isRead()
		if !read {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-turned:
		case pair := <-latest:
			select {
			case out <- pair:
			case <-ctx.Done():
				return
			}
		}
	}
}

// watches takes note of the watch that is open, or nil.
func (w *watched) watches(watch *watches.Watch) {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	w.watch = watch
}

// isRead reports whether somebody reads of the election, or has of late, and returns what is closed
// when that may have changed.
func (w *watched) isRead() (bool, <-chan struct{}) {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	return !w.listed || len(w.feed.readers)+len(w.of.all.readers) > 0, w.of.turned
}

// MaxWatches is for the follower's own watch, which holds no place of the store's: see
// forward.
func (r reading) MaxWatches() int { return math.MaxInt }

// run follows the election until nobody wants to know of it any more.
func (w *watched) run(ctx context.Context) {
	// It has no log: of an outage each of many would tell.
	follower := leadership.NewFollower(reading{w.of.h.kv.own, w}, w.key,
		leadership.WithRetryInterval(followPause),
		leadership.WithCallbacks(leadership.Callbacks{OnStanding: w.see, OnError: w.fail}))
	ctx, cancel := context.WithCancel(ctx)
	leaders, errs := follower.FollowElection(ctx)
	defer func() {
		cancel()
		for range leaders { // until it has ended
		}
		for range errs {
		}
	}()
	timer := time.NewTimer(watchTick)
	defer timer.Stop()
	due := time.Now().Add(watchTick)
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.evicted:
			return
		case now := <-timer.C:
			left := w.pass(now)
			if !now.Before(due) {
				due = now.Add(watchTick)
				if w.ends() {
					return
				}
			}
			timer.Reset(min(left, time.Until(due)))
		}
	}
}

// see takes in how the election stands.
func (w *watched) see(s leadership.Standing) {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	now := time.Now()
	w.foreign = false
	renewals := w.tally.renewals
	w.tally.see(s, now, w.isNew)
	if !w.tell(now) && w.tally.renewals > renewals {
		w.tellRenewed(now)
	}
}

// fail takes in that a look at the store has failed.
func (w *watched) fail(err error) {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	// A record of something else does tell: that of the leader does not stand.
	w.foreign = errors.Is(err, leadership.ErrForeignRecord)
	w.tally.failed = !w.foreign
	w.tally.asking = false
	w.passed(time.Now())
}

// asks takes in that a look at the store begins.
func (w *watched) asks() {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	w.tally.asking = true
}

// answered takes in that the store has answered. What is new to the follower it will
// have us see; until then nothing is known.
func (w *watched) answered(value []byte) {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	same := (value == nil) == (w.read == nil) && bytes.Equal(value, w.read)
	w.read = value
	if !same && w.watch != nil {
		w.watch.Again()
	}
	if same {
		w.tally.asking, w.tally.failed = false, false
		w.passed(time.Now())
	}
}

// passed has time pass, and tells what has come of it. It is called with mu held.
func (w *watched) passed(now time.Time) {
	w.tally.pass(now)
	if w.tally.known {
		w.tell(now)
	}
}

// pass has time pass, and returns when to look again at the latest.
func (w *watched) pass(now time.Time) time.Duration {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	w.passed(now)
	if left := w.tally.trust(now); left > 0 && left < watchTick {
		return left
	}
	return watchTick
}

// tell tells readers how the election stands, and says whether that is not what
// they know. It is called with mu held.
func (w *watched) tell(now time.Time) bool {
	line, err := json.Marshal(eventView{w.tally.kind(), w.tally.view})
	if err != nil || slices.Equal(line, w.last) {
		return false
	}
	w.last, w.renewed = line, now
	w.of.dropped(w.feed.tell(w.feed.keep(event{key: w.key, line: line})))
	if w.listed {
		w.of.tell(w.event(now), true)
	}
	return true
}

// tellRenewed tells the readers of all elections that this one was renewed.
func (w *watched) tellRenewed(now time.Time) {
	if !w.listed || now.Sub(w.renewed) < renewedPause {
		return
	}
	w.renewed = now
	w.of.tell(encode(w.key, struct {
		Type     string    `json:"type"`
		At       time.Time `json:"at"`
		Key      string    `json:"key"`
		Token    uint64    `json:"token"`
		FreeIn   int64     `json:"free_in_ms"`
		Renewals uint64    `json:"renewals"`
	}{"renewed", now, w.key, w.tally.view.Token, view.Ceil(w.tally.trust(now)), w.tally.inTerm}), false)
}

// event tells all of the election.
func (w *watched) event(now time.Time) event { return encode(w.key, w.tally.observedView(now)) }

// encode makes an event of v.
func encode(key string, v any) event {
	line, err := json.Marshal(v)
	if err != nil { // nothing that is told can fail to encode
		line = []byte(`{"type":"error"}`)
	}
	return event{key: key, line: line}
}

// ends says whether nobody has wanted to know of the election for a while; then it
// is watched no more.
func (w *watched) ends() bool {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	if len(w.feed.readers) > 0 || w.listed {
		w.idle = 0
		return false
	}
	if w.idle++; w.idle < watchLinger {
		return false
	}
	if w.of.byKey[w.key] == w { // and not another's, for which it was evicted
		delete(w.of.byKey, w.key)
	}
	return true
}
