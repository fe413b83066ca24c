package sim

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	leadership "github.com/seed-a1d591d3/leadership"
)

const (
	key   = "service/sim/leader"
	epoch = 946684800e9 // 2000-01-01, when all bubbles begin
)

// world is one seed's.
type world struct {
	seed      uint64
	plan      plan
	dice      dice
	began     time.Time
	faultsEnd time.Duration

	trace   trace
	ledger  *ledger
	checker *checker
	slots   []*slot
	servers []*server
	holders []*holder
	places  []*place // of candidates and holders
	watcher *watcher
	race    *race // of rounds, in place of all these

	// broken is told of each broken rule.
	broken func(rule, what string)

	done       chan struct{}  // closed when nothing is checked any more
	background sync.WaitGroup // what has to end with the world

	terms, tampers atomic.Int32 // for the statistics
	violations     atomic.Int32

	mu     sync.Mutex
	all    []*contender
	truths []truth
}

// newEmptyWorld makes a world of a seed in which there is nobody yet. It is called in a
// bubble.
func newEmptyWorld(seed uint64, broken func(rule, what string)) *world {
	d := dice(mix(seed))
	w := &world{seed: seed, plan: newPlan(d.child("plan")), dice: d, began: time.Now(), done: make(chan struct{}), broken: broken}
	w.faultsEnd = w.plan.faults
	w.checker = &checker{
		w: w, wake: make(chan struct{}, 1), asks: make(chan func()),
		quiet: d.child("checker").rolls(), forgot: -1,
	}
	return w
}

// newWorld makes the world of a seed. It is called in a bubble.
func newWorld(seed uint64, broken func(rule, what string)) *world {
	w := newEmptyWorld(seed, broken)
	d := w.dice
	w.ledger = newLedger(w, key)
	for _, p := range w.plan.slots {
		d := d.child(p.node)
		w.slots = append(w.slots, &slot{
			slotPlan: p, w: w, dice: d, rolls: d.child("rolls").rolls(),
			place: newPlace(p.lasts),
		})
		w.places = append(w.places, w.slots[len(w.slots)-1].place)
	}
	for _, p := range w.plan.servers {
		w.servers = append(w.servers, newServer(w, p, d.child(p.name)))
	}
	for _, p := range w.plan.holders {
		h := &holder{holderPlan: p, w: w, dice: d.child(p.node), rolls: d.child(p.node).child("rolls").rolls(), place: newPlace(p.lasts)}
		w.holders, w.places = append(w.holders, h), append(w.places, h.place)
	}
	w.watcher = newWatcher(w, w.plan.follower, d.child("follower"))
	return w
}

// run lets the world happen: faults, then calm, then an orderly end.
func (w *world) run() {
	go w.checker.run()
	defer close(w.done)
	for _, s := range w.slots {
		go s.live()
	}
	for _, s := range w.servers {
		w.background.Go(s.live)
	}
	for _, h := range w.holders {
		go h.live()
	}
	go w.watcher.run()
	w.background.Go(w.operate)
	w.background.Go(w.replicate)
	w.background.Go(w.stray)
	w.background.Go(w.request)

	w.sleepUntil(w.faultsEnd + w.slack())
	w.note("world", "the faults are over")
	if leader := w.settle(); leader != nil {
		w.reign(leader)
		w.succeed(leader)
	}
	w.end()
}

// operate tampers with the record as planned.
func (w *world) operate() {
	times := slices.Sorted(slices.Values(w.plan.tampers))
	c := w.dice.child("operator").rolls()
	for _, v := range times {
		w.sleepUntil(v)
		w.ledger.tamper(c)
		w.recheck()
	}
}

// request asks the election for things as planned, and at the end of the
// faults to go on.
func (w *world) request() {
	asks := slices.SortedFunc(slices.Values(w.plan.asks), func(a, b askPlan) int { return int(a.at - b.at) })
	if len(asks) > 0 {
		asks = append(asks, askPlan{w.plan.faults, leadership.Request{Action: leadership.Resume}})
	}
	ask := func(r leadership.Request) {
		w.background.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 2*w.plan.longestTTL)
			defer cancel()
			w.note("operator", "asks: %+v", r)
			err := leadership.Ask(ctx, office{w.ledger}, key, r)
			w.note("operator", "asked for %s: %v", r.Action, err)
		})
	}
	for _, a := range asks {
		w.sleepUntil(a.at)
		ask(a.request)
	}
	// A leader whose record was deleted puts it back with the pause that it has seen,
	// when nobody can find one to end.
	for range min(len(asks), 1) * 10 {
		time.Sleep(w.plan.longestTTL / 10)
		if w.ledger.seat().Ask.Do == leadership.Pause {
			ask(leadership.Request{Action: leadership.Resume})
		}
	}
}

// settle waits until a leader stands, as it must soon, and returns it.
func (w *world) settle() *contender {
	for _, s := range w.places {
		for s.stays && !s.up.Load() { // it is still dying of the faults
			time.Sleep(w.plan.ttl / 50)
		}
	}
	within := slowest(w.plan.outlives()+w.plan.retry+w.plan.patience) + w.moment()
	w.sleepUntil(w.now() + within)
	leader := w.sole()
	w.settleSeconds()
	if leader == nil {
		w.violate("liveness", "nobody, or more than one, leads %v after the faults are over", within)
	}
	return leader
}

// reign checks that the leader stays, and that the follower knows it.
func (w *world) reign(leader *contender) {
	w.note(leader.name, "is to lead on")
	w.ask(func() { w.checker.reigns = leader })
	from := w.now()
	w.sleepUntil(from + slowest(w.plan.follower.poll) + w.moment())
	check := func() {
		if err := w.watcher.agrees(leader); err != nil {
			w.violate("follower", "%s leads, and the follower does not agree: %v", leader.name, err)
		}
	}
	w.ask(check)
	w.sleepUntil(max(w.now()+1, from+w.plan.calm))
	w.ask(check)
	w.ask(func() { w.checker.reigns = nil })
}

// succeed stops the leader, and checks that it gives up its seat, and that
// somebody else takes it soon.
func (w *world) succeed(leader *contender) {
	token := w.ledger.seat().Token
	i := slices.IndexFunc(w.places, func(s *place) bool { return s.contender() == leader })
	s := w.places[i]
	close(s.quit)
	<-s.ended
	if !w.ledger.vacated(token) {
		w.violate("S8", "%s was stopped and has not vacated the seat of term %d", leader.name, token)
	}
	if !slices.ContainsFunc(w.places, func(s *place) bool { return s.running() }) {
		return
	}
	within := slowest(w.plan.retry+w.plan.patience) + w.moment()
	w.sleepUntil(w.now() + within)
	if w.sole() == nil {
		w.violate("liveness", "nobody has taken a vacant seat within %v", within)
	}
}

// end stops everyone, and checks that nothing is left.
func (w *world) end() {
	for _, s := range w.places {
		select {
		case <-s.quit:
		default:
			time.Sleep(17 * time.Nanosecond) // not all at once
			close(s.quit)
		}
	}
	for _, s := range w.places {
		<-s.ended
	}
	if seat := w.ledger.seat(); seat.held() && w.calm(w.now()) {
		w.violate("S8", "all were stopped, and the seat is not vacant: %v", seat)
	}
	w.sleepUntil(w.now() + max(slowest(w.plan.follower.poll), w.plan.longestTTL) + w.moment())
	w.ask(func() {
		if err := w.watcher.agrees(nil); err != nil {
			w.violate("follower", "nobody leads, and the follower does not agree: %v", err)
		}
	})
	w.watcher.follower.Stop()
	w.expect("the follower's channels to be closed", w.watcher.ended, w.moment())

	for _, c := range w.contenders() {
		if c.link != nil {
			c.link.faults.Close()
		}
	}
	for _, s := range w.servers {
		s.close()
	}
	w.watcher.link.faults.Close()
	w.ledger.Close()
	ended := make(chan struct{})
	go func() { w.background.Wait(); close(ended) }()
	w.expect("all else to end", ended, slowest(2*w.plan.longestTTL)+time.Second)
	// Calls that were stuck until now return, and what they leave behind is
	// tidied up. A goroutine that isn't gone then is reported by the bubble.
	time.Sleep(2 * w.plan.longestTTL)
}

// expect waits for what has to come soon.
func (w *world) expect(what string, ch <-chan struct{}, within time.Duration) {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-ch:
	case <-timer.C:
		w.violate("S6", "waited %v for %s", within, what)
	}
}

// sole returns who leads, if exactly one does.
func (w *world) sole() (leader *contender) {
	w.ask(func() {
		n := 0
		for _, c := range w.contenders() {
			if c.leading {
				leader = c
				n++
			}
		}
		if n != 1 {
			leader = nil
		}
	})
	return leader
}

// ask has the checker call f when everyone else is blocked.
func (w *world) ask(f func()) {
	done := make(chan struct{})
	w.checker.asks <- func() { f(); close(done) }
	<-done
}

// now is the time since the world began.
func (w *world) now() time.Duration { return time.Since(w.began) }

func (w *world) sleepUntil(v time.Duration) { time.Sleep(v - w.now()) }

// calm reports whether the faults are over at v.
func (w *world) calm(v time.Duration) bool { return v >= w.faultsEnd }

// over reports whether the faults are over now.
func (w *world) over() bool { return w.calm(w.now()) }

// slack is how long after the end of the faults the last of them may end.
func (w *world) slack() time.Duration { return w.plan.ttl / 100 }

// moment is longer than some calls and the work take when all is calm.
func (w *world) moment() time.Duration { return 20*w.plan.latency + w.plan.longestTTL/20 }

// death returns when a process that typically lives that long ends: never, where its node
// stays to the end of the faults and it would come after that.
func (w *world) death(c *chance, life, ttl time.Duration, stays bool) time.Duration {
	death := w.now() + c.spread(life/4, life*2)
	switch {
	case !stays:
		return max(w.now()+c.between(1, ttl/10), min(death, w.faultsEnd-c.between(1, ttl)))
	case death >= w.faultsEnd:
		return 1 << 62
	}
	return death
}

// rest returns how long a node waits before its next process, 0 for no other.
func (w *world) rest(c *chance, ttl time.Duration, stays bool) time.Duration {
	rest, now := c.spread(time.Microsecond, 3*ttl), w.now()
	switch {
	case stays:
		return w.untilHealed(c, now, rest)
	case w.calm(now + rest + ttl):
		return 0
	}
	return rest
}

// untilHealed cuts d, which begins at v, so that it ends with the faults, more
// or less: not all at the same instant.
func (w *world) untilHealed(c *chance, v, d time.Duration) time.Duration {
	return max(1, min(d, w.faultsEnd-v+c.between(1, w.slack())))
}

// note adds an event to the trace.
func (w *world) note(who, format string, args ...any) {
	w.trace.add(event{w.now(), who, format, args})
}

// recheck makes the checker look at once.
func (w *world) recheck() {
	select {
	case w.checker.wake <- struct{}{}:
	default:
	}
}

// alarm makes the checker look just before v, at v, and just after.
func (w *world) alarm(v time.Duration) {
	now := w.now()
	for _, at := range []time.Duration{v - 1, v, v + 1} {
		if at > now {
			time.AfterFunc(at-now, w.recheck)
		}
	}
	w.recheck()
}

// violate says that a rule was broken.
func (w *world) violate(rule, format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	w.note("CHECK", "%s: %s", rule, what)
	if w.violations.Add(1) == 1 {
		w.broken(rule, what)
	}
}

func (w *world) enlist(c *contender) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, c)
}

func (w *world) contenders() []*contender {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.all)
}

// truth takes note that a stream told true.
func (w *world) truth(who *contender) {
	w.mu.Lock()
	w.truths = append(w.truths, truth{who, w.now()})
	w.mu.Unlock()
	w.recheck()
}

func (w *world) takeTruths() []truth {
	w.mu.Lock()
	defer w.mu.Unlock()
	ts := w.truths
	w.truths = nil
	return ts
}
