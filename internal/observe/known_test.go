package observe

import (
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership"
)

func TestCandidatesAreTheLeaderAndThoseThatWait(t *testing.T) {
	var h history
	now := time.Now()
	s := leadership.Standing{
		Key: "k", Term: leadership.Term{Leader: "a", Token: 5, TTL: time.Second}, Left: time.Second,
		Waiting: []leadership.Waiting{{Node: "b", Priority: 2}, {Node: "c", Priority: 1}},
	}
	h.see(s, now, false)
	if n := h.election(now).Known; n != 3 {
		t.Errorf("%d candidates, want 3", n)
	}
	later := now.Add(2 * time.Second)
	h.pass(later)
	if n := h.election(later).Known; n != 2 {
		t.Errorf("%d candidates when the leader has expired, want 2", n)
	}
}
