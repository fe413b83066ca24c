package observe

import (
	"context"
	"time"

	"github.com/seed-a1d591d3/leadership"
)

const (
	// maxObserved is how many elections are observed, at most.
	maxObserved = 10_000

	// The store is asked which elections and rounds there are every listPause. Where
	// that takes long it is asked less often, so that it is left alone for nine tenths
	// of the time, but every listPauseMost at least.
	listPause, listPauseMost = time.Second, time.Minute
)

// stateView is the state of observing, in JSON.
type stateView struct {
	Type string `json:"type"`
	state
}

// state is what stateView and helloView have in common.
type state struct {
	Error   string `json:"error,omitempty"`   // why it is not known which elections there are
	Listing bool   `json:"listing,omitempty"` // because they are being listed for the first time
	More    bool   `json:"more,omitempty"`    // there are more than are observed
}

// systemsView are the systems of the rounds that were found among the elections.
type systemsView struct {
	Type  string   `json:"type"`
	Total int      `json:"total"`
	Names []string `json:"names"` // the first maxSystems
}

// attended waits until the observer is used. It returns false when ctx has ended.
func (o *Observer) attended(ctx context.Context) bool {
	for {
		o.mu.Lock()
		attended := len(o.all.readers) > 0 || time.Now().Before(o.until)
		if !attended {
			o.forget()
		}
		o.mu.Unlock()
		if attended {
			return ctx.Err() == nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-o.wake:
		}
	}
}

// forget forgets the elections that are observed, when the observer is not used: what was
// known would be out of date later. It is called with mu held.
func (o *Observer) forget() {
	for _, e := range o.byKey {
		if e.observed = false; len(e.feed.readers) == 0 {
			o.evict(e)
		}
	}
	readers := o.all.readers
	o.all = newFeed(allBytes)
	o.all.readers = readers
	o.listed, o.state, o.rounds.known = false, state{}, nil
}

// pauseAfter is how long to pause after a list that began then.
func pauseAfter(began time.Time) time.Duration {
	return min(max(listPause, 9*time.Since(began)), listPauseMost)
}

// listElections finds the elections below the prefix, while the observer is used, until
// ctx ends.
func (o *Observer) listElections(ctx context.Context) {
	for failing := false; o.attended(ctx); {
		began := time.Now()
		more, err := o.list(ctx)
		if ctx.Err() != nil {
			return
		}
		o.logChange(&failing, err, "elections", "prefix", o.Prefix)
		o.listedNow(more, err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pauseAfter(began)):
		}
	}
}

// logChange logs that things cannot be listed any more, and that they can again.
func (o *Observer) logChange(failing *bool, err error, things string, args ...any) {
	switch {
	case err != nil && !*failing:
		o.Log.Warn("httpapi: it is not known which "+things+" there are", append(args, "error", err)...)
	case err == nil && *failing:
		o.Log.Warn("httpapi: it is known again which "+things+" there are", args...)
	}
	*failing = err != nil
}

// list goes through the elections that there are. Those that are observed already are
// not read: each is looked at by itself.
func (o *Observer) list(ctx context.Context) (more bool, err error) {
	there := make(map[string]bool)
	o.surplus.next()
	o.mu.Lock()
	o.lists.hurry.Store(!o.listed)
	if o.observed() < o.most {
		o.surplus.clear()
	}
	o.mu.Unlock()
	wanted := func(key string) bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		e := o.byKey[key]
		return (e == nil || !e.observed || e.foreign) && !o.surplus.skips(key, seldom)
	}
	err = o.lists.electionPages(ctx, o.Prefix, wanted, func(read []leadership.Standing, unread []string) {
		o.mu.Lock()
		defer o.mu.Unlock()
		more = o.mark(read, there) || more
		for _, key := range unread {
			if e := o.byKey[key]; e != nil && e.observed {
				there[key] = true
			} else if o.surplus.has(key) {
				more = true
			}
		}
	})
	if err != nil {
		return false, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	gone := false
	for key, e := range o.byKey {
		if e.observed && !there[key] {
			e.observed, gone = false, true
			o.send(encode(key, map[string]string{"type": "gone", "key": key}), true)
		}
	}
	if gone {
		o.turn()
	}
	return more, nil
}

// mark marks the elections that are there, and reports whether there are too many. It
// is called with mu held.
func (o *Observer) mark(all []leadership.Standing, there map[string]bool) (more bool) {
	n := o.observed()
	for _, s := range all {
		if !o.Valid(s.Key) {
			continue
		}
		e := o.byKey[s.Key]
		if e == nil || !e.observed {
			if n >= o.most {
				more = true
				o.surplus.add(s.Key, false)
				continue
			}
			n++
		}
		there[s.Key] = true
		if e == nil {
			e = o.watch(s.Key)
			e.isNew = o.listed
		}
		if !e.observed {
			e.observed = true
			o.turn() // its watch is not open for readers to come any more
			if e.history.known {
				o.send(e.event(time.Now()), true)
			}
		}
	}
	return more
}

// observed returns how many elections are observed. It is called with mu held.
func (o *Observer) observed() (n int) {
	for _, e := range o.byKey {
		if e.observed {
			n++
		}
	}
	return n
}

// listedNow notes the outcome of a list. A failure does not change the elections.
func (o *Observer) listedNow(more bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := state{More: o.state.More}
	if err != nil {
		now.Error = o.Explain(err)
	} else {
		now.More = more
		o.listed = true
		o.sendSystems(o.lists.systems())
	}
	if now != o.state {
		o.state = now
		o.send(encode("", stateView{"state", now}), false)
	}
}
