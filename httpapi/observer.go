package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/lru"
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

	// scrapeAttention is for how long elections are observed after metrics were asked
	// for: for longer than Prometheus lets pass between two scrapes.
	scrapeAttention = 150 * time.Second

	// attendMost is how long whoever looks first waits until it is known how the
	// elections stand.
	attendMost = 2 * time.Second
)

// observer watches elections: those below a prefix, if it is told to, for as long as
// somebody reads of them or asks for metrics, and others for as long as somebody reads their events.
type observer struct {
	h    *Handler
	most int // elections

	mu      sync.Mutex
	byKey   map[string]*watched
	all     feed // of the elections that are observed
	rounds  roundWatch
	streams int
	state   stateView
	looked  bool          // it is known which elections there are
	until   time.Time     // they are observed until then, though nobody reads of them
	turned  chan struct{} // closed when readers come or go

	surplus    settled       // elections that are too many
	wake       chan struct{} // somebody looks
	wakeRounds chan struct{} // has rounds looked at now
}

// stateView is how the observing goes, in JSON.
type stateView struct {
	Type  string `json:"type"`
	Error string `json:"error,omitempty"` // why it is not known which elections there are
	More  bool   `json:"more,omitempty"`  // there are more than are observed
}

func newObserver(h *Handler) *observer {
	shown := slices.Concat(h.systems, h.shown)
	return &observer{
		h: h, most: maxObserved, byKey: make(map[string]*watched), all: newFeed(allBytes), state: stateView{Type: "state"},
		rounds:     roundWatch{feed: newFeed(0), shown: shown, asked: lru.New[string, struct{}](maxAsked + len(shown)), named: make(map[string]int), last: make(map[string][]byte)},
		wakeRounds: make(chan struct{}, 1), wake: make(chan struct{}, 1), turned: make(chan struct{}),
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

// attended reports whether somebody looks at the elections that are observed, or has
// of late. It is called with mu held.
func (o *observer) attended() bool {
	return len(o.all.readers) > 0 || time.Now().Before(o.until)
}

// attend has the elections observed for so long from now on, and waits until it is
// known how they stand, for attendMost at most, or until ctx ends.
func (o *observer) attend(ctx context.Context, d time.Duration) {
	if !o.h.observe {
		return
	}
	o.mu.Lock()
	if until := time.Now().Add(d); until.After(o.until) {
		o.until = until
	}
	o.mu.Unlock()
	signal(o.wake)
	for began := time.Now(); !o.caughtUp() && time.Since(began) < attendMost; {
		select {
		case <-ctx.Done():
			return
		case <-o.h.ctx.Done():
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// stillListing is what readers are told who look before it is known which elections
// there are: that it is none would not be true.
const stillListing = "they are being listed"

// caughtUp reports whether it is known how all elections stand, as far as the store
// tells.
func (o *observer) caughtUp() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.looked {
		return o.state.Error != "" && o.state.Error != stillListing
	}
	for _, w := range o.byKey {
		if w.listed && !w.tally.known && !w.tally.failed {
			return false
		}
	}
	return true
}

// sleep forgets the elections that are observed, when nobody looks at them: those who
// look again later are not told what was known then.
func (o *observer) sleep() {
	for _, w := range o.byKey {
		if w.listed = false; len(w.feed.readers) == 0 {
			delete(o.byKey, w.key)
			close(w.evicted)
		}
	}
	readers := o.all.readers
	o.all = newFeed(allBytes)
	o.all.readers = readers
	o.looked, o.state = false, stateView{Type: "state"}
}

// turn has each election that is watched see whether somebody reads of it. It is
// called with mu held.
func (o *observer) turn() {
	close(o.turned)
	o.turned = make(chan struct{})
}

// signal puts a token into a channel that has room for one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// awaited waits until somebody looks. It returns false when ctx has ended.
func (o *observer) awaited(ctx context.Context) bool {
	for {
		o.mu.Lock()
		attended := o.attended()
		if !attended {
			o.sleep()
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

// run finds the elections below the prefix, while somebody looks at them, until ctx
// ends.
func (o *observer) run(ctx context.Context) {
	for failing := false; o.awaited(ctx); {
		began := time.Now()
		more, err := o.pass(ctx)
		if ctx.Err() != nil {
			return
		}
		switch {
		case err != nil && !failing:
			o.h.log.Warn("httpapi: it is not known which elections there are", "prefix", o.h.prefix, "error", err)
		case err == nil && failing:
			o.h.log.Warn("httpapi: it is known again which elections there are", "prefix", o.h.prefix)
		}
		failing = err != nil
		o.passed(more, err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(max(observePause, 9*time.Since(began)), observePauseMost)):
		}
	}
}

// pass goes through the elections that there are. Those that are observed already are
// not read: their followers are there for that.
func (o *observer) pass(ctx context.Context) (more bool, err error) {
	there := make(map[string]bool)
	o.mu.Lock()
	if o.listed() < o.most {
		o.surplus.clear()
	}
	o.mu.Unlock()
	wanted := func(key string) bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		w := o.byKey[key]
		return (w == nil || !w.listed || w.foreign) && !o.surplus.rests(key)
	}
	err = o.h.electionPages(ctx, o.h.kv.own, o.h.prefix, wanted, func(read []leadership.Standing, unread []string) {
		o.mu.Lock()
		defer o.mu.Unlock()
		more = o.mark(read, there) || more
		for _, key := range unread {
			if w := o.byKey[key]; w != nil && w.listed {
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
	for key, w := range o.byKey {
		if w.listed && !there[key] {
			w.listed = false
			o.tell(encode(key, map[string]string{"type": "gone", "key": key}), true)
		}
	}
	o.turn()
	return more, nil
}

// known is 1 if it is known which elections there are, and 0 otherwise.
func (o *observer) known() float64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.looked && o.state.Error == "" {
		return 1
	}
	return 0
}

// listed is how many elections are observed. It is called with mu held.
func (o *observer) listed() (n int) {
	for _, w := range o.byKey {
		if w.listed {
			n++
		}
	}
	return n
}

// passed takes in what came of a pass. A failure says nothing of the elections.
func (o *observer) passed(more bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	state := stateView{Type: "state", More: o.state.More}
	if err != nil {
		state.Error = failure(err)
	} else {
		state.More = more
		o.looked = true
	}
	if state != o.state {
		o.state = state
		o.tell(encode("", state), false)
	}
}

// mark marks those elections that are there, and reports whether there are too many.
// It is called with mu held.
func (o *observer) mark(all []leadership.Standing, there map[string]bool) (more bool) {
	n := o.listed()
	for _, s := range all {
		if checkKey(s.Key) != nil {
			continue
		}
		w := o.byKey[s.Key]
		if w == nil || !w.listed {
			if n >= o.most {
				more = true
				o.surplus.add(s.Key)
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
	if until := time.Now().Add(watchLinger * watchTick); f == &o.all && until.After(o.until) {
		o.until = until
	}
	o.turn()
}
