package electiontest

import (
	"time"
)

// testCancel: a leader whose context ends gives up its seat.
func testCancel(e *election) { e.testEnd((*candidate).end) }

// testStop: so does one that is stopped.
func testStop(e *election) { e.testEnd(func(c *candidate) { c.Stop() }) }

func (c *candidate) end() { c.cancel() }

// testEnd ends the campaigns of four, one after another.
func (e *election) testEnd(end func(*candidate)) {
	all := append(e.stands(), e.stand("d"))
	var times []time.Duration
	for len(all) > 1 {
		leader := e.leader(all...)
		before, _ := leader.Term()
		began := time.Now()
		end(leader)
		all = except(all, leader)
		next := e.leader(all...)
		times = append(times, next.electedAt().Sub(began))
		e.within(patience, "the channels of "+leader.node+" are closed", leader.isClosed)
		if after, _ := next.Term(); after.Token <= before.Token {
			e.Errorf("token %d after %d", after.Token, before.Token)
		}
		if leader.IsLeader() {
			e.Error("it leads after its end")
		}
	}
	// An expiry would take longer, every time.
	e.checkMedian("handovers", times, e.ttl/2)

	last := e.leader(all...)
	end(last)
	e.within(patience, "the channels of the last are closed", last.isClosed)
	if r, ok := e.look(); !ok || r.Leader != "" {
		e.Errorf("nobody is left, and the record is %+v, %v", r, ok)
	}
	e.testAgain(last)
}

// testAgain: a campaign that has ended may be run again.
func (e *election) testAgain(c *candidate) {
	elected, errs := c.RunForElection(e.Context())
	go func() {
		for range errs { // they need not be read; but that they are is no harm
		}
	}()
	timeout := time.After(patience)
	for leads := false; !leads; {
		select {
		case leads = <-elected:
		case <-timeout:
			e.Fatal("run again, it does not win")
		}
	}
	c.Stop()
	for range elected {
	}
}
