package electiontest

import (
	"time"

	"github.com/seed-a1d591d3/leadership"
)

// testDeletedKey: somebody deletes the record while there is a leader. The
// election heals by itself, with one leader at a time, and tokens go on rising.
func testDeletedKey(e *election) {
	all := e.stands()
	var times []time.Duration
	for range 3 {
		leader := e.leader(all...)
		before, _ := leader.Term()
		// A rival that has never seen the record could not know that there was
		// a leader.
		e.seen(except(all, leader))
		e.remove()
		times = append(times, e.within(patience, "a record stands again, and its leader leads", func() bool {
			r, ok := e.look()
			if !ok || r.Token < before.Token {
				return false
			}
			for _, c := range all {
				if term, leads := c.Term(); leads && term.Token == r.Token {
					return true
				}
			}
			return false
		}))
	}
	e.checkMedian("deletions healed", times, e.ttl+e.retry)
}

// testForeignValue: what is no record of an election is reported and left
// alone, however long; and the election goes on once it is gone.
func testForeignValue(e *election) {
	const foreign = "this is somebody else's"
	e.write(foreign)
	f := e.follow()
	all := e.stands()
	for _, c := range all {
		for n := range 3 {
			e.within(patience, c.node+" reports a foreign record, and again", func() bool {
				return c.reported(n, leadership.ErrForeignRecord) != nil
			})
		}
		if c.IsLeader() {
			e.Errorf("%s leads", c.node)
		}
	}
	e.within(patience, "the follower reports it", func() bool { return f.reported(leadership.ErrForeignRecord) })
	e.checkForeign(foreign)
	e.remove()
	leader := e.leader(all...)

	// It may come while there is a leader, too: then the term ends.
	term, _ := leader.Term()
	n := leader.problems()
	e.write(foreign)
	e.within(patience, "the leader steps down", func() bool {
		now, leads := leader.Term()
		return !leads || now.Token != term.Token
	})
	e.within(patience, "and says why", func() bool { return leader.reported(n, leadership.ErrForeignRecord) != nil })
	e.checkForeign(foreign)
	e.remove()
	e.leader(all...)
	if r, ok := e.look(); !ok {
		e.Errorf("somebody leads, and the record is %+v", r)
	}
}

// checkForeign wants the foreign value to stand.
func (e *election) checkForeign(want string) {
	e.Helper()
	if pair := e.get(); pair == nil || string(pair.Value) != want {
		e.Fatalf("the foreign value was %q, and there is now: %v", want, pair)
	}
}
