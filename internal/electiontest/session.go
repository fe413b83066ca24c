package electiontest

import (
	"context"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
)

// testSession: terms that ride on a session stand while that is renewed, and once their process
// has crashed they are taken together, by those too who see the store through a view of it.
func testSession(e *election) { e.attempt(ride) }

func ride(e *election) (ok bool, problem string) {
	dir := strings.TrimSuffix(e.key, "leader")
	keys := []string{e.key, dir + "other", dir + "third"}
	link := e.connect()
	session := leadership.NewSession(link, dir, "a", e.ttl, leadership.WithMargin(e.margin), leadership.WithRetryInterval(e.retry))
	var riders []*leadership.Candidate
	for _, key := range keys {
		c := leadership.NewCandidate(link, key, "a", e.ttl, leadership.WithSession(session), leadership.WithMargin(e.margin), leadership.WithRetryInterval(e.retry))
		elected, errs := c.RunForElection(context.Background())
		e.Cleanup(func() {
			link.Heal()
			c.Stop()
			for range elected {
			}
			for range errs {
			}
		})
		e.within(patience, "a leads", c.IsLeader)
		riders = append(riders, c)
	}
	f := e.follow()
	e.within(patience, "the follower hears of a", func() bool { return f.says("a") })

	view := store.WithPrefix(e.connect(), dir)
	claims := leadership.NewClaims(view, "leader")
	claim := func(c *leadership.Claims) bool {
		e.Helper()
		got, err := c.Claim(e.Context(), leadership.Claim{Node: "b", Instance: "instance-of-b-" + dir, TTL: time.Minute})
		if err != nil {
			e.Logf("claim: %v", err)
		}
		return got.Won
	}
	for began := time.Now(); time.Since(began) < 4*e.ttl; time.Sleep(e.ttl / 10) {
		if led := riders[0].IsLeader(); claim(claims) {
			if led && riders[0].IsLeader() {
				e.Fatal("two lead")
			}
			return false, "the store has stalled for longer than the trust"
		}
	}
	all, err := leadership.Elections(e.Context(), view, "")
	if err != nil || len(all) != len(keys) || !strings.HasPrefix(all[0].Session, "sessions/") || all[1].Session != all[0].Session {
		if !riders[0].IsLeader() || !riders[1].IsLeader() {
			return false, "the store has stalled while it was listed"
		}
		e.Errorf("listed: %+v, %v", all, err)
	}

	link.Partition()
	took := e.within(patience, "the seat is taken", func() bool { time.Sleep(e.ttl / 50); return claim(claims) })
	for _, c := range riders {
		if c.IsLeader() {
			e.Error("two lead, or could")
		}
	}
	e.Logf("taken %v after the crash", took.Round(time.Millisecond))
	e.within(patience, "the follower hears of b", func() bool { return f.says("b") })
	if !claim(leadership.NewClaims(e.hand, keys[1])) {
		e.Error("another seat of the session was not free at once")
	}
	if err := leadership.Forget(e.Context(), view, "third"); err != nil {
		e.Error(err)
	}
	return true, ""
}
