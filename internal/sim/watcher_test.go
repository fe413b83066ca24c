package sim

import (
	"context"
	"fmt"
	"sync"
	"time"

	leadership "github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/store"
)

// glimpse is a record as a follower sees it.
type glimpse struct {
	index uint64
	until time.Duration // it may believe in its leader, on its monotonic clock
	rec   record
	beat  uint64 // index of the session that it rides on, when that was read last
	half  bool   // it was not read with that
}

// watcher follows the election from a machine of its own.
type watcher struct {
	followerPlan
	w        *world
	dice     dice
	machine  *machine
	link     *link
	follower *leadership.Follower

	ended chan struct{}

	mu    sync.Mutex
	told  int     // how many names
	last  string  // of them
	read  glimpse // what it read last
	shown glimpse // what a watch showed last, which it may take for a look if that is later
}

func newWatcher(w *world, plan followerPlan, d dice) *watcher {
	f := &watcher{followerPlan: plan, w: w, dice: d, ended: make(chan struct{})}
	f.machine = newMachine(w, "follower", plan.machine, d.child("machine"))
	f.link = newLink(w, "follower", f.machine, w.ledger, plan.link, d.child("link"), func() int32 { return 1 })
	f.link.seen, f.link.shown, f.link.beats = f.reads, f.isShown, f.readsSession
	opts := append([]leadership.Option{clock.Option(f.machine).(leadership.Option)}, plan.options...)
	f.follower = leadership.NewFollower(f.link, key, opts...)
	return f
}

// run follows until Stop.
func (f *watcher) run() {
	defer close(f.ended)
	names, errs := f.follower.FollowElection(context.Background())
	var listeners sync.WaitGroup
	listeners.Go(func() { f.listen(names) })
	listeners.Go(func() {
		for err := range errs {
			f.w.note("follower", "reports: %v", err)
		}
	})
	listeners.Wait()
}

func (f *watcher) listen(names <-chan string) {
	for {
		if v := f.w.now(); !f.w.calm(v) {
			if c := f.dice.at(v, 'l'); c.p(f.slow) {
				time.Sleep(f.w.untilHealed(c, v, c.spread(f.w.plan.ttl/100, 10*f.w.plan.ttl)))
			}
		}
		name, open := <-names
		if !open {
			return
		}
		f.w.note("follower", "told: %q", name)
		f.mu.Lock()
		if f.told == 0 && name == "" {
			f.w.violate("follower", "was told of nobody at first")
		}
		if f.told > 0 && name == f.last {
			f.w.violate("follower", "was told %q twice", name)
		}
		f.told++
		f.last = name
		f.mu.Unlock()
	}
}

// reads takes note of a record that was read.
func (f *watcher) reads(_ context.Context, pair *store.KVPair, _ time.Duration) {
	f.sees(&f.read, pair)
}

// isShown takes note of a record that a watch shows. It may count from when a call that is
// under way has returned, and until then what was shown before.
func (f *watcher) isShown(pair *store.KVPair) {
	if pair == nil {
		return
	}
	var now glimpse
	f.sees(&now, pair)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shown = glimpse{index: max(f.shown.index, now.index), until: max(f.shown.until, now.until)}
}

// sees takes note of a record: it may be believed in for the TTL and the margin, from when
// it was first seen.
func (f *watcher) sees(g *glimpse, pair *store.KVPair) {
	e, _, known := f.w.ledger.find(pair)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !known || g.index == pair.LastIndex {
		return
	}
	*g = glimpse{index: pair.LastIndex, rec: e.rec, half: true}
	if e.rec.held() {
		g.until = f.until(e.rec)
	}
}

// until is how long it may believe in a leader of which it has just heard. The lock is held.
func (f *watcher) until(rec record) time.Duration {
	margin := f.margin
	if margin == 0 {
		margin = rec.ttl() / 5
	}
	return f.machine.mono(f.w.now()) + rec.ttl() + margin
}

// readsSession takes note of a session that was read after the record, and may have changed.
func (f *watcher) readsSession(_ context.Context, key string, pair *store.KVPair) {
	var index uint64
	if pair != nil {
		index = pair.LastIndex
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if g := &f.read; g.rec.Session == nameOf(key) && (g.half || g.beat != index) {
		g.beat, g.half, g.until = index, false, f.until(g.rec)
	}
}

// forget has the next record that is read count as one that was not seen before.
func (f *watcher) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read.index = 0
}

// check holds what the follower believes against what it read. Only the checker
// may call it. A follower that is paused with a reply in its hands takes it for
// fresh; that harms nobody.
func (f *watcher) check(v time.Duration) {
	if f.machine.pause > 0 || len(f.machine.sleeps) > 0 {
		return
	}
	f.machine.quiet.Store(true)
	defer f.machine.quiet.Store(false)
	term, ok := f.follower.Term()
	f.mu.Lock()
	defer f.mu.Unlock()
	until := f.read.until
	if f.shown.index > f.read.index {
		until = max(until, f.shown.until)
	}
	if ok && f.machine.mono(v) >= until {
		f.w.violate("follower", "it believes in term %d of %s, whom it has not heard of for too long", term.Token, term.Leader)
	}
}

// agrees says what the follower has wrong about the leader, nil for none. Only
// the checker may ask.
func (f *watcher) agrees(leader *contender) error {
	f.machine.quiet.Store(true)
	defer f.machine.quiet.Store(false)
	var want string
	var token uint64
	if leader != nil {
		term, _ := leader.asked()
		want, token = term.Leader, term.Token
	}
	f.mu.Lock()
	told := f.last
	f.mu.Unlock()
	term, ok := f.follower.Term()
	switch {
	case f.follower.Leader() != want:
		return fmt.Errorf("its Leader is %q, not %q", f.follower.Leader(), want)
	case ok != (leader != nil) || term.Token != token || term.Leader != want:
		return fmt.Errorf("its Term is %v, not term %d of %q", term, token, want)
	case told != want:
		return fmt.Errorf("it was told %q, not %q", told, want)
	}
	return nil
}
