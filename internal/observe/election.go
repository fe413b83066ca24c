package observe

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/view"
	"github.com/seed-a1d591d3/leadership/internal/watches"
)

const (
	// lookPause is how often an election is looked at whose leader does not renew.
	lookPause = 15 * time.Second

	// failedPause is the longest pause between looks while they fail, and readPause where
	// the election has readers: it is also that between two watches of the store, and for an
	// election with readers of its own that between looks while it has no leader.
	failedPause, readPause = 5 * time.Second, time.Second

	// renewedPause is the shortest time between two events of renewals of one election.
	renewedPause = 250 * time.Millisecond
)

// eventView is an event of one election in JSON.
type eventView struct {
	// Type is "leader" while there is a leader, "expired" when it has not renewed its
	// term in time, "vacant" while the seat is empty, and "unknown" when the store has
	// not answered in time whether there is a leader.
	Type string `json:"type"`
	view.Election
}

// election is one that is watched: for readers of its own events, or because it is
// observed. The observer's mu guards all of it.
type election struct {
	of       *Observer
	key      string
	observed bool // the observer found it in the store when it listed last
	isNew    bool // and not when it listed first

	foreign bool          // what is under the key is no election any more
	evicted chan struct{} // closed when another takes its place

	feed    feed
	idle    time.Time // since when it is neither observed nor read; zero while it is
	history history
	last    []byte    // the latest line of feed
	renewed time.Time // when an event of a renewal was sent last
}

// looks is what the goroutine of an election needs to look at it.
type looks struct {
	*election
	claims *leadership.Claims
	hints  chan struct{}  // there is something new
	watch  *watches.Watch // of the store; nil while the election has no readers

	next  time.Time // when to look, though nothing hints at it
	fails int       // looks that have failed in a row
}

// run looks at the election until it is not watched any more, or ctx ends.
func (e *election) run(ctx context.Context) {
	l := &looks{election: e, claims: leadership.NewClaims(e.of.Store, e.key), hints: make(chan struct{}, 1)}
	defer l.setWatch(ctx, false)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		read, turned := e.hasReaders()
		l.setWatch(ctx, read)
		if !time.Now().Before(l.next) {
			l.look(ctx)
		}
		wait, wanted := e.pass(time.Now())
		if !wanted || ctx.Err() != nil {
			return
		}
		timer.Reset(min(wait, time.Until(l.next)))
		select {
		case <-ctx.Done():
			return
		case <-e.evicted:
			return
		case <-turned:
		case <-l.hints:
			if l.fails == 0 { // otherwise the pause holds
				l.next = time.Now()
			}
		case <-timer.C:
		}
	}
}

// setWatch opens or closes the watch of the store. Without readers the election takes no
// place among the watches of the store: for metrics alone the looks are enough.
func (l *looks) setWatch(ctx context.Context, open bool) {
	switch {
	case open && l.watch == nil:
		l.watch = watches.Open(ctx, l.of.Store, l.key, func() time.Duration { return readPause }, func(*watches.Shown) { signal(l.hints) })
	case !open && l.watch != nil:
		<-l.watch.Close()
		l.watch = nil
	}
}

// look looks at the election, and sets when to look next.
func (l *looks) look(ctx context.Context) {
	l.begin()
	standing, err := l.claims.Look(ctx)
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		l.fails++
		pause := min(l.failed(err), failedPause)
		if l.watch != nil {
			pause = min(pause, readPause)
		}
		l.next = time.Now().Add(min(pause, pause/16<<min(l.fails-1, 4)))
		return
	}
	l.fails = 0
	pause, changed := l.see(standing)
	if changed && l.watch != nil {
		l.watch.Again() // some stores cannot watch a missing key
	}
	l.next = time.Now().Add(pause - rand.N(pause/5+1))
}

// hasReaders reports whether the election has readers, or had some until recently, and
// returns a channel that is closed when that may have changed.
func (e *election) hasReaders() (bool, <-chan struct{}) {
	e.of.mu.Lock()
	defer e.of.mu.Unlock()
	return !e.observed || len(e.feed.readers)+len(e.of.all.readers) > 0, e.of.turned
}

// begin notes that a look at the store begins.
func (e *election) begin() {
	e.of.mu.Lock()
	defer e.of.mu.Unlock()
	e.history.asking = true
}

// see notes the state of the election. It returns when to look again, at the latest, and
// reports whether the record has changed.
func (e *election) see(s leadership.Standing) (pause time.Duration, changed bool) {
	e.of.mu.Lock()
	defer e.of.mu.Unlock()
	now := time.Now()
	e.foreign = false
	renewals, beat := e.history.renewals, e.history.beat
	e.history.see(s, now, e.isNew)
	if !e.send(now) && e.history.renewals > renewals {
		e.sendRenewed(now)
	}
	return e.pause(now), beat != s.Beat
}

// failed notes that a look at the store has failed. It returns when one that succeeds
// would be followed by another.
func (e *election) failed(err error) time.Duration {
	e.of.mu.Lock()
	defer e.of.mu.Unlock()
	// A record of something else means that there is no leader any more.
	e.foreign = errors.Is(err, leadership.ErrForeignRecord)
	e.history.failed = !e.foreign
	e.history.asking = false
	now := time.Now()
	e.passed(now)
	return e.pause(now)
}

// pause is how long to wait for the next look. It is called with mu held.
func (e *election) pause(now time.Time) time.Duration {
	if e.history.trust(now) > 0 {
		return min(lookPause, time.Duration(e.history.view.TTL)*time.Millisecond/3)
	}
	if len(e.feed.readers) > 0 {
		return readPause
	}
	return lookPause
}

// pass lets time pass, and returns how long until something changes by itself. It
// returns false when the election has been idle for long: then it is not watched any
// more.
func (e *election) pass(now time.Time) (time.Duration, bool) {
	e.of.mu.Lock()
	defer e.of.mu.Unlock()
	e.passed(now)
	wait := lookPause
	if left := e.history.trust(now); left > 0 {
		wait = min(wait, left)
	}
	switch {
	case e.observed || len(e.feed.readers) > 0:
		e.idle = time.Time{}
	case e.idle.IsZero():
		e.idle = now
		wait = min(wait, Linger)
	case now.Sub(e.idle) < Linger:
		wait = min(wait, Linger-now.Sub(e.idle))
	default:
		if e.of.byKey[e.key] == e { // and not another, for which it was evicted
			delete(e.of.byKey, e.key)
		}
		return 0, false
	}
	return wait, true
}

// passed lets time pass, and sends what has changed. It is called with mu held.
func (e *election) passed(now time.Time) {
	e.history.pass(now)
	if e.history.known {
		e.send(now)
	}
}

// send sends readers the state of the election, and reports whether it has changed. It
// is called with mu held.
func (e *election) send(now time.Time) bool {
	line, err := json.Marshal(eventView{e.history.kind(), e.history.view})
	if err != nil || slices.Equal(line, e.last) {
		return false
	}
	e.last, e.renewed = line, now
	e.of.dropped += e.feed.send(e.feed.keep(Event{key: e.key, Line: line}))
	if e.observed {
		e.of.send(e.event(now), true)
	}
	return true
}

// sendRenewed sends the readers of all elections that this one was renewed. It is
// called with mu held.
func (e *election) sendRenewed(now time.Time) {
	if !e.observed || now.Sub(e.renewed) < renewedPause {
		return
	}
	e.renewed = now
	e.of.send(encode(e.key, struct {
		Type     string    `json:"type"`
		At       time.Time `json:"at"`
		Key      string    `json:"key"`
		Token    uint64    `json:"token"`
		FreeIn   int64     `json:"free_in_ms"`
		Renewals uint64    `json:"renewals"`
	}{"renewed", now, e.key, e.history.view.Token, view.Ceil(e.history.trust(now)), e.history.inTerm}), false)
}

// event returns the state of the election as an event. It is called with mu held.
func (e *election) event(now time.Time) Event { return encode(e.key, e.history.event(now)) }

// encode makes an event of v.
func encode(key string, v any) Event {
	line, err := json.Marshal(v)
	if err != nil { // no event can fail to encode
		line = []byte(`{"type":"error"}`)
	}
	return Event{key: key, Line: line}
}
