package electiontest

import (
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/goroutines"
)

// testRestart: the server is killed in mid-term and comes back. The campaigns
// go on, and somebody leads again.
func testRestart(e *election) {
	all := e.stands()
	before, _ := e.leader(all...).Term()
	for range 2 {
		e.env.Server.Stop()
		e.env.Server.Start()
		back := time.Now()
		last, ok := e.look()
		if !ok || last.Token < before.Token {
			e.Fatalf("the server came back with the record %+v, %v; there had been token %d", last, ok, before.Token)
		}
		// The record has to be renewed: else it may be of a term that is over.
		e.within(patience, "somebody leads again", func() bool {
			now, ok := e.look()
			return ok && (now.Token > last.Token || now.Token == last.Token && now.Beat > last.Beat)
		})
		before, _ = e.leader(all...).Term()
		e.Logf("somebody led %v after the server was back, with token %d after %d", time.Since(back).Round(time.Millisecond), before.Token, last.Token)
	}
	for _, c := range all {
		if c.isClosed() {
			e.Errorf("the campaign of %s has ended", c.node)
		}
	}
}

// testFreeze: the server halts for longer than the TTL. The leader's trust ends
// in time, by its own clock, and afterwards the election goes on.
func testFreeze(e *election) {
	all := e.stands()
	leader := e.leader(all...)
	before, _ := leader.Term()
	e.env.Server.Freeze()
	frozen := time.Now()
	// The last renewal that succeeded began before that. A signal takes a moment
	// to reach every thread of a process.
	const moment = 50 * time.Millisecond
	trust := e.ttl - e.margin
	for time.Since(frozen) < trust+moment {
		time.Sleep(time.Millisecond)
	}
	if term, ok := leader.Term(); ok {
		e.Errorf("it leads term %d %v after the server froze, though its trust is for %v", term.Token, time.Since(frozen), trust)
	}
	e.within(patience, "its channel says so", func() bool { return !leader.told() })
	e.Logf("the leader was told %v after the server froze; its trust was for %v", leader.demotedAt().Sub(frozen).Round(time.Millisecond), trust)

	for time.Since(frozen) < 3*e.ttl {
		for _, c := range all {
			if c.IsLeader() {
				e.Fatalf("%s leads on a server that is frozen", c.node)
			}
		}
		time.Sleep(time.Millisecond)
	}
	e.env.Server.Thaw()
	thawed := time.Now()
	after, _ := e.leader(all...).Term()
	e.Logf("somebody led %v after the server went on", time.Since(thawed).Round(time.Millisecond))
	if after.Token <= before.Token {
		e.Errorf("token %d after %d", after.Token, before.Token)
	}
}

// testDownAtStart: candidates and followers that start before the store does
// say so, and go on.
func testDownAtStart(e *election) {
	e.env.Server.Stop()
	f := e.follow()
	all := e.stands()
	for _, c := range all {
		e.within(patience, c.node+" says that the store is down, for the key", func() bool { return c.complained(e.key) })
		if c.isClosed() {
			e.Errorf("the campaign of %s has ended", c.node)
		}
	}
	e.env.Server.Start()
	back := time.Now()
	e.leader(all...)
	e.Logf("somebody led %v after the server was there", time.Since(back).Round(time.Millisecond))
	e.agree(f, all)
}

// testGoroutines: an outage does not cost more goroutines the longer it is.
func testGoroutines(e *election) {
	others, _ := calls() // that another test has left behind
	all := e.stands()
	e.follow()
	e.leader(all...)
	e.env.Server.Freeze()
	Calls(e, 8*e.ttl, others+len(all)+1)
	e.env.Server.Thaw()
	e.leader(all...)
}

// Calls fails the test if more than most calls of the store are under way at once within d,
// or none at all. Each candidate and each follower has one at most, however long an outage
// is (S6). It blocks for d.
func Calls(t testing.TB, d time.Duration, most int) {
	t.Helper()
	seen := 0
	for began := time.Now(); time.Since(began) < d; time.Sleep(10 * time.Millisecond) {
		n, stacks := calls()
		if seen = max(seen, n); n > most {
			t.Errorf("%d calls are under way %v into an outage, want %d at most:\n%s", n, time.Since(began), most, stacks)
			return
		}
	}
	if seen == 0 {
		t.Error("no call was seen: the test shows nothing")
	}
}

// calls returns how many calls of candidates and followers are under way, and their stacks.
func calls() (int, []byte) {
	return goroutines.CreatedBy("github.com/seed-a1d591d3/leadership.(*observer).start")
}

// testCancelFrozen: a campaign ends within about a TTL though the store does
// not answer.
func testCancelFrozen(e *election) {
	all := e.stands()
	e.leader(all...)
	e.env.Server.Freeze()
	began := time.Now()
	for _, c := range all {
		c.cancel()
	}
	for _, c := range all {
		e.within(patience, "the channels of "+c.node+" are closed", c.isClosed)
		if c.IsLeader() {
			e.Errorf("%s leads after its end", c.node)
		}
	}
	took := time.Since(began)
	e.Logf("all channels were closed in %v", took.Round(time.Millisecond))
	if limit := e.ttl + time.Second; took > limit {
		e.Errorf("that took %v, want %v at most", took, limit)
	}
	e.env.Server.Thaw()
	// A claim or a vacancy that was under way must not come between.
	e.leader(e.stand("d"))
}
