package electiontest

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/seed-a1d591d3/leadership/store/faultstore"
)

// testElection: of three that stand at once one leads, everybody agrees on
// which, and it leads on.
func testElection(e *election) {
	e.attempt(func(e *election) (bool, string) {
		f := e.follow()
		all := e.stands()
		leader := e.leader(all...)
		term, ok := leader.Term()
		if !ok {
			return false, "the term was over at once"
		}
		if term.Leader != leader.node || term.Token == 0 || term.TTL != e.ttl {
			e.Errorf("the leader's term: %+v", term)
		}
		r, ok := e.look()
		if !ok || r.Leader != leader.node || r.Token != term.Token {
			return false, "the record is of another term"
		}
		e.within(patience, "the follower hears of a leader", func() bool { return f.Leader() != "" })
		heard, ok := f.Term()
		if !ok || heard.Token != term.Token {
			return false, "the follower heard of another term"
		}
		if heard.Leader != leader.node || string(heard.Payload) != "at "+leader.node {
			e.Errorf("the follower's term: %+v; the leader's: %+v", heard, term)
		}
		e.within(patience, "the record was renewed 5 times", func() bool {
			now, _ := e.look()
			return now.Beat >= r.Beat+5
		})
		now, ok := leader.Term()
		return ok && now.Token == term.Token, "the term ended although nothing happened"
	})
}

// testResign: a leader that resigns is followed at once, by somebody else.
func testResign(e *election) {
	e.attempt(func(e *election) (bool, string) {
		f := e.follow()
		all := e.stands()
		leader := e.leader(all...)
		var times []time.Duration
		for range 5 {
			next, took := e.resign(leader, all)
			if next == leader {
				return false, "the seat went back to the one that had resigned"
			}
			e.agree(f, all)
			times = append(times, took)
			leader = next
		}
		// An expiry would take longer, every time.
		e.checkMedian("handovers", times, e.ttl/2)
		return true, ""
	})
}

// testResignAgain: a leader that resigns as soon as it is elected hands back to
// the one before, which leaves the seat to others for a while, but does not
// leave it vacant.
func testResignAgain(e *election) {
	e.attempt(func(e *election) (bool, string) {
		both := []*candidate{e.stand("a"), e.stand("b")}
		leader := e.leader(both...)
		var times []time.Duration
		for range 50 {
			next, took := e.resign(leader, both)
			if next == leader {
				return false, "the seat went back to the one that had resigned, after " + took.String()
			}
			times = append(times, took)
			leader = next
		}
		e.checkMedian("handovers", times, e.retry/2)
		return true, ""
	})
}

// resign has the leader resign and returns which of candidates leads next, and
// how long after.
func (e *election) resign(leader *candidate, candidates []*candidate) (next *candidate, took time.Duration) {
	e.Helper()
	before, _ := leader.Term()
	began := time.Now()
	leader.Resign()
	if leader.IsLeader() {
		e.Error("it leads although it has resigned")
	}
	next = e.leader(candidates...)
	after, _ := next.Term()
	if after.Token != 0 && after.Token <= before.Token {
		e.Errorf("token %d after %d", after.Token, before.Token)
	}
	return next, next.electedAt().Sub(began)
}

// checkMedian wants the median of times to be within limit. Single ones may be
// late, on a busy machine.
func (e *election) checkMedian(what string, times []time.Duration, limit time.Duration) {
	e.Helper()
	slices.Sort(times)
	median := times[len(times)/2]
	e.Logf("%d %s: median %v, longest %v", len(times), what, median.Round(10*time.Microsecond), times[len(times)-1].Round(10*time.Microsecond))
	if median > limit {
		e.Errorf("the median of %d %s is %v, want %v at most", len(times), what, median, limit)
	}
}

// testCrash: when a leader falls silent somebody else leads within TTL + 250 ms
// of its last renewal, and not before its trust has run out, which the referee
// sees to.
func testCrash(e *election) {
	const slack = 250 * time.Millisecond
	e.attempt(func(e *election) (bool, string) {
		took, problem := e.failover()
		if problem != "" {
			return false, problem
		}
		e.Logf("a new leader %v after the last renewal: the TTL and %v", took.Round(time.Millisecond), (took - e.ttl).Round(time.Millisecond))
		return took <= e.ttl+slack, "a new leader was late"
	})
}

// failover crashes a leader and returns how long it took from its last renewal,
// as an onlooker sees the record change, until another was told of its
// election.
func (e *election) failover() (took time.Duration, problem string) {
	leader := e.leader(e.stand("a"))
	rivals := []*candidate{e.stand("b"), e.stand("c")}
	e.seen(rivals)

	term, ok := leader.Term()
	if !ok {
		return 0, "the term was over at once"
	}
	var beat uint64
	var renewed, crash time.Time // crash: when it is to be
	crashed := false
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		r, ok := e.look()
		now := time.Now()
		if ok && r.Token > term.Token && !crashed {
			return 0, "a term has ended although its leader was well"
		}
		if ok && r.Token == term.Token && r.Beat != beat {
			if beat != 0 && crash.IsZero() { // the first was there when we began to look
				crash = now.Add(rand.N(e.ttl / 3))
			}
			beat, renewed = r.Beat, now
		}
		if !crashed && !crash.IsZero() && now.After(crash) {
			leader.crash()
			crashed = true
		}
		for _, rival := range rivals {
			if !rival.told() {
				continue
			}
			if !crashed {
				return 0, "a rival led although the leader was well"
			}
			return rival.electedAt().Sub(renewed), ""
		}
		if now.Sub(began) > patience {
			e.Fatalf("no new leader; the old one has crashed: %v", crashed)
		}
	}
}

// seen waits until each of candidates has read the record as it is now, or
// later.
func (e *election) seen(candidates []*candidate) {
	e.Helper()
	for _, c := range candidates {
		// One read may be under way already; when the one after the next begins,
		// the next has returned. None is later than a retry interval.
		c.link.MuteWatches(true) // which spare it the reads
		reads := c.link.Calls(faultstore.OpGet)
		e.within(patience, c.node+" has read the record", func() bool { return c.link.Calls(faultstore.OpGet) >= reads+3 })
		c.link.MuteWatches(false)
	}
}
