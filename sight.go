package leadership

import (
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/store"
)

// sight is what somebody who does not hold the seat knows of it, and what that means
// to one claimant.
type sight struct {
	election.View[election.Record]
	by election.Claimant

	lives time.Duration // until when its holder counts as one that lives: it was seen to renew it
}

// see takes note of what was found at now, nil for no record. It says whether
// that is a change.
func (s *sight) see(pair *store.KVPair, rec election.Record, now time.Duration) bool {
	before := s.Rec
	if !s.See(pair, rec, now) {
		return false
	}
	switch {
	case !rec.Held() || rec.Instance != before.Instance || rec.Token != before.Token:
		s.lives = now
	case rec.Beat != before.Beat:
		s.lives = now + rec.TTL()/2
	}
	return true
}

// free is when the claimant may take the seat.
func (s *sight) free() time.Duration { return election.Free(&s.View, &s.by) }

// unlisted says whether we are to enter ourselves among those that wait, while the
// holder lives: each entry is a change, from which rivals wait anew (S2), and would
// keep a dead one in its seat.
func (s *sight) unlisted() bool {
	return s.Rec.Held() && !s.mine() && !s.Rec.OnList(s.by.Node, s.by.Priority)
}

// stands says whether its holder may lead, as far as we know.
func (s *sight) stands(now time.Duration) bool { return s.Rec.Held() && s.Left(now) > 0 }

// mine says whether the record is one of ours.
func (s *sight) mine() bool { return s.Rec.Held() && s.Rec.Instance == s.by.Instance }
