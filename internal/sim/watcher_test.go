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
	told  int           // how many names
	last  string        // of them
	index uint64        // of the record that it read last
	until time.Duration // it may believe in a leader, on its monotonic clock
}

func newWatcher(w *world, plan followerPlan, d dice) *watcher {
	f := &watcher{followerPlan: plan, w: w, dice: d, ended: make(chan struct{})}
	f.machine = newMachine(w, "follower", plan.machine, d.child("machine"))
	f.link = newLink(w, "follower", f.machine, w.ledger, plan.link, d.child("link"), func() int32 { return 1 })
	f.link.seen = f.reads
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

// reads takes note of a record that was read: it may be believed in for the TTL
// and the margin, from when it was first seen.
func (f *watcher) reads(pair *store.KVPair) {
	e, _, known := f.w.ledger.find(pair)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !known || f.index == pair.LastIndex {
		return
	}
	f.index, f.until = pair.LastIndex, 0
	if !e.rec.held() {
		return
	}
	margin := f.margin
	if margin == 0 {
		margin = e.rec.ttl() / 5
	}
	f.until = f.machine.mono(f.w.now()) + e.rec.ttl() + margin
}

// forget has the next record that is read count as one that was not seen before.
func (f *watcher) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.index = 0
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
	if ok && f.machine.mono(v) >= f.until {
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
