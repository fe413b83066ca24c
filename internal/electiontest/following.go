package electiontest

import "time"

// testFollowerFirst: a follower that is there before the first leader waits for
// it, and hears when the seat is vacated.
func testFollowerFirst(e *election) {
	f := e.follow()
	c := e.stand("a")
	e.leader(c)
	e.within(patience, "the follower hears of the first leader", func() bool { return f.says("a") })
	if first := f.word(0); first != "a" {
		e.Errorf("the first that the channel said was %q", first)
	}
	c.Stop()
	e.within(patience, "the follower hears that the seat is vacant", func() bool { return f.says("") })
}

// testFollowerForgets: a follower stops believing in a leader that it has not
// heard of for the TTL and the margin.
func testFollowerForgets(e *election) {
	e.attempt(func(e *election) (bool, string) {
		f := e.follow()
		c := e.stand("a")
		e.leader(c)
		e.within(patience, "the follower hears of the leader", func() bool { return f.says("a") })
		c.crash()
		took := e.within(patience, "the follower forgets a leader that is silent", func() bool { return f.Leader() == "" })
		e.within(patience, "its channel says so", func() bool { return f.says("") })
		e.Logf("forgotten %v after its crash; TTL and margin are %v", took.Round(time.Millisecond), e.ttl+e.margin)
		// What was heard last may have been on its way for a while.
		return took <= e.ttl+e.margin+e.retry/2, "it took longer than TTL and margin"
	})
}
