package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership"
)

const (
	// maxObserved is how many elections are observed, at most.
	maxObserved = 1024

	// maxUnlisted is how many elections besides those are watched for readers of their
	// events, at most.
	maxUnlisted = 256

	// observePause is how often the store is asked which elections there are;
	// where that takes long it is asked less often, so that nine tenths of the time
	// it is not, and observePauseMost apart at most.
	observePause, observePauseMost = time.Second, time.Minute
)

// observer watches elections: those below a prefix for as long as the handler is
// open, if it is told to, and others for as long as somebody reads their events.
type observer struct {
	h    *Handler
	most int // elections

	mu      sync.Mutex
	byKey   map[string]*watched
	all     feed // of the elections that are observed
	rounds  roundWatch
	streams int
	state   stateView
	looked  bool // the store has been asked once

	wakeRounds chan struct{} // has rounds looked at now
}

// stateView is how the observing goes, in JSON.
type stateView struct {
	Type  string `json:"type"`
	Error string `json:"error,omitempty"` // why it is not known which elections there are
	More  bool   `json:"more,omitempty"`  // there are more than are observed
}

func newObserver(h *Handler) *observer {
	return &observer{
		h: h, most: maxObserved, byKey: make(map[string]*watched), all: newFeed(allBytes), state: stateView{Type: "state"},
		rounds:     roundWatch{feed: newFeed(0), asked: newRecent(maxAsked, slices.Concat(h.systems, h.shown)), named: make(map[string]int), last: make(map[string][]byte)},
		wakeRounds: make(chan struct{}, 1),
	}
}

// dropped counts readers that were too slow.
func (o *observer) dropped(n uint64) { o.h.dropped.Add(n) }

// tell tells the readers of all elections. It is called with mu held.
func (o *observer) tell(e event, keep bool) {
	if keep {
		e = o.all.keep(e)
	}
	o.dropped(o.all.tell(e))
}

// room makes room for the watch of one more election for its readers: those without a
// reader give way, the longest idle first. It is called with mu held.
func (o *observer) room() error {
	var unlisted int
	var idle []*watched
	for _, w := range o.byKey {
		if w.listed {
			continue
		}
		unlisted++
		if len(w.feed.readers) == 0 {
			idle = append(idle, w)
		}
	}
	slices.SortFunc(idle, func(a, b *watched) int { return cmp.Compare(b.idle, a.idle) })
	for _, w := range idle[:min(len(idle), max(unlisted-maxUnlisted+1, 0))] {
		delete(o.byKey, w.key)
		close(w.evicted)
		unlisted--
	}
	if unlisted >= maxUnlisted {
		return refuse(http.StatusServiceUnavailable, "%d elections have readers already", unlisted)
	}
	return nil
}

// watch returns the election of a key, which is watched from now on, if it is not.
// It is called with mu held.
func (o *observer) watch(key string) *watched {
	w := o.byKey[key]
	if w == nil {
		w = &watched{of: o, key: key, feed: newFeed(feedBytes), evicted: make(chan struct{})}
		o.byKey[key] = w
		o.h.own(w.run)
	}
	return w
}

// run finds the elections below the prefix until ctx ends.
func (o *observer) run(ctx context.Context) {
	for failing := false; ; {
		began := time.Now()
		found, err := o.list(ctx)
		if ctx.Err() != nil {
			return
		}
		switch {
		case err != nil && !failing:
			o.h.log.Warn("httpapi: it is not known which elections there are", "prefix", o.h.prefix, "error", err)
		case err == nil && failing:
			o.h.log.Info("httpapi: it is known again which elections there are", "prefix", o.h.prefix)
		}
		failing = err != nil
		o.found(found, err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(max(observePause, 9*time.Since(began)), observePauseMost)):
		}
	}
}

func (o *observer) list(ctx context.Context) ([]leadership.Standing, error) {
	ctx, cancel := context.WithTimeout(ctx, o.h.timeout)
	defer cancel()
	return leadership.Elections(ctx, o.h.kv.own, o.h.prefix)
}

// found takes in which elections there are. A failure says nothing of them.
func (o *observer) found(all []leadership.Standing, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	state := stateView{Type: "state", More: o.state.More}
	if err != nil {
		state.Error = failure(err).reason
	} else {
		state.More = o.mark(all)
		o.looked = true
	}
	if state != o.state {
		o.state = state
		o.tell(encode("", state), false)
	}
}

// mark marks those elections that are there, and says whether there are too many.
func (o *observer) mark(all []leadership.Standing) (more bool) {
	there := make(map[string]bool, min(len(all), o.most))
	n := 0
	for _, w := range o.byKey {
		if w.listed {
			n++
		}
	}
	for _, s := range all {
		if checkKey(s.Key) != nil {
			continue
		}
		w := o.byKey[s.Key]
		if w == nil || !w.listed {
			if n >= o.most {
				more = true
				continue
			}
			n++
		}
		there[s.Key] = true
		if w == nil {
			w = o.watch(s.Key)
			w.isNew = o.looked
		}
		if !w.listed {
			w.listed = true
			if w.tally.known {
				o.tell(w.event(time.Now()), true)
			}
		}
	}
	for key, w := range o.byKey {
		if w.listed && !there[key] {
			w.listed = false
			o.tell(encode(key, map[string]string{"type": "gone", "key": key}), true)
		}
	}
	return more
}

// snapshot returns how the elections that are observed stand, sorted by key.
func (o *observer) snapshot() []observed {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	var all []observed
	for _, w := range o.byKey {
		if w.listed && w.tally.known {
			w.tally.pass(now)
			all = append(all, w.tally.observed(now))
		}
	}
	slices.SortFunc(all, func(a, b observed) int { return cmp.Compare(a.key, b.key) })
	return all
}

// readers is how many streams there are.
func (o *observer) readers() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.streams
}

// enter counts a stream in, where there is room for it. It is called with mu held.
func (o *observer) enter() error {
	if o.streams >= maxStreams {
		return refuse(http.StatusServiceUnavailable, "there are %d streams already", o.streams)
	}
	o.streams++
	return nil
}

// leave counts a stream out.
func (o *observer) leave(f *feed, r *eventReader) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.streams--
	delete(f.readers, r)
	o.rounds.leave(r)
}
