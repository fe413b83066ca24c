package leadership

import (
	"context"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// TestCopyThatLostTheSessionLeavesTheSeat: a machine was cloned, and the other process with the
// same memory has renewed the session, and so has kept the seat.
func TestCopyThatLostTheSessionLeavesTheSeat(t *testing.T) {
	for name, last := range map[string]func(kv store.Store, c *Candidate){
		"when it stops": func(_ store.Store, c *Candidate) { c.Stop() },
		"when it resigns": func(_ store.Store, c *Candidate) {
			c.Resign()
		},
		"when the leader is asked to go": func(kv store.Store, _ *Candidate) {
			ctx, cancel := context.WithTimeout(context.Background(), ttl/10)
			defer cancel()
			_ = Ask(ctx, kv, "app/x", Request{Action: Resign, By: "olga"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, ctx context.Context) {
				kv := memory.New()
				c := NewCandidate(kv, "app/x", "a", ttl, WithSession(NewSession(kv, "app/", "a", ttl)))
				c.RunForElection(ctx)
				time.Sleep(ttl)
				sessions, err := kv.List(ctx, "app/sessions/", nil)
				if err != nil || len(sessions) != 1 || !c.IsLeader() {
					t.Fatalf("%d sessions: %v; it leads: %v", len(sessions), err, c.IsLeader())
				}
				session, err := election.ParseSession(sessions[0].Value)
				if err != nil {
					t.Fatal(err)
				}
				for i := range 20 { // the copy renews its session
					session = session.Renewed(session.Beat + 1<<40)
					if err := kv.Put(ctx, sessions[0].Key, session.Encode(), nil); err != nil {
						t.Fatal(err)
					}
					if i == 10 {
						if c.IsLeader() {
							t.Fatal("it leads without its session")
						}
						last(kv, c)
					}
					time.Sleep(ttl / 5)
				}
				pair, err := kv.Get(ctx, "app/x", nil)
				if err != nil {
					t.Fatal(err)
				}
				if rec, err := election.Parse(pair.Value); err != nil || !rec.Held() {
					t.Errorf("the seat of the copy was given up: %+v, %v", rec, err)
				}
			})
		})
	}
}
