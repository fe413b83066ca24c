package electiontest

import (
	"context"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
)

// Recovers has candidates and a follower run, and disturb what is beneath them: have
// the server lose its data, say, or take new passwords only. Disturb returns when all is well
// again. The election has to go on then, through every client that was there before.
func Recovers(t *testing.T, open func(t testing.TB) store.Store, disturb func()) {
	t.Helper()
	e := newElection(t, Env{Open: open}, time.Second)
	f := e.follow()
	all := e.stands()
	leader := e.leader(all...)
	e.agree(f, all)
	e.seen(except(all, leader))

	disturb()
	back := time.Now()
	last, _ := e.look()
	e.within(patience, "the record is written", func() bool {
		now, ok := e.look()
		return ok && now != last
	})
	e.Logf("the record was written %v after all was well", time.Since(back).Round(time.Millisecond))
	for _, c := range all {
		e.pass(c)
		e.within(patience, "the follower hears of it", func() bool { return f.says(c.node) })
	}
	e.Logf("each has led %v after all was well", time.Since(back).Round(time.Millisecond))
}

// pass has the operator's client pass the seat to c.
func (e *election) pass(c *candidate) {
	e.Helper()
	ctx, cancel := context.WithTimeout(e.Context(), patience)
	defer cancel()
	for !c.IsLeader() {
		err := leadership.Ask(ctx, e.hand, e.key, leadership.Request{Action: leadership.Transfer, To: c.node, By: "test"})
		if ctx.Err() != nil {
			e.Fatalf("%s never leads: %v", c.node, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
