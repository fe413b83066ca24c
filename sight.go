package leadership

import (
	"bytes"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// sight is what somebody who does not hold the seat knows of it: the record
// last seen and how long it stands. It is pure: times are readings of the
// owner's monotonic clock, taken after the reply that showed the record (S2).
type sight struct {
	me       string // our instance: a record of our own is no obstacle
	node     string
	priority int
	hold     time.Duration // how long to hold back for one of a higher priority

	known bool
	pair  *store.KVPair // nil: there is no record
	rec   record
	seen  time.Duration // when exactly this record was first seen
	free  time.Duration // when it may be replaced
	guard time.Duration // until when a record that is gone may still be trusted
	high  uint64        // the highest token seen

	lives  time.Duration // until when its holder counts as one that lives: it was seen to renew it
	paused bool          // an operator has asked for the seat to be left empty
}

// see takes note of what was found at now, nil for no record. It says whether
// that is a change.
func (s *sight) see(pair *store.KVPair, rec record, now time.Duration) bool {
	if s.known && samePair(s.pair, pair) {
		return false
	}
	if !s.known {
		s.guard = now
	}
	if s.rec.held() && (pair == nil || rec.Token < s.rec.Token) {
		// The record has vanished, or an older one is back. Its holder may
		// have renewed it, unseen, until just now.
		s.guard = max(s.guard, now+s.rec.ttl())
	}
	free := now
	if rec.held() && rec.Instance != s.me {
		free += rec.ttl()
	}
	if rec.Instance != s.me {
		free += s.holdBack(rec)
	}
	switch {
	case !rec.held() || rec.Instance != s.rec.Instance || rec.Token != s.rec.Token:
		s.lives = now
	case rec.Beat != s.rec.Beat:
		s.lives = now + rec.ttl()/2
	}
	s.paused = rec.Ask.pauses()
	s.known, s.pair, s.rec, s.seen = true, pair, rec, now
	s.free = max(free, s.guard)
	if s.high >= maxToken-1 && rec.Token > 0 {
		s.high = 0 // no token can follow it, and it was in a record that is gone
	}
	s.high = max(s.high, rec.Token)
	return true
}

// holdBack is for how long a seat that could be taken is left to others that are
// to have it: the node that it is transferred to, or those of a higher priority.
func (s *sight) holdBack(rec record) time.Duration {
	if to, hold := rec.Ask.transfers(); to != "" {
		if to == s.node {
			return 0
		}
		return hold
	}
	return time.Duration(rec.ahead(s.node, s.priority)) * s.hold
}

// unlisted says whether we are to enter ourselves among those that wait, while the
// holder lives: each entry is a change, from which rivals wait anew (S2), and would
// keep a dead one in its seat.
func (s *sight) unlisted() bool {
	return s.rec.held() && !s.mine() && !s.rec.lists(s.node, s.priority)
}

// stands says whether its holder may lead, as far as we know.
func (s *sight) stands(now time.Duration) bool { return s.rec.held() && s.left(now) > 0 }

// left is for how long somebody may lead, as far as we know, though the record stay
// as it is: whoever holds it, or held one that is gone.
func (s *sight) left(now time.Duration) time.Duration {
	return max(0, max(s.seen+s.rec.ttl(), s.guard)-now)
}

// become gives the observer another instance: what was its own is a rival's.
func (s *sight) become(instance string) {
	s.me = instance
	s.free = max(s.free, s.seen+s.rec.ttl()+s.holdBack(s.rec))
}

// mine says whether the record is one of ours.
func (s *sight) mine() bool { return s.rec.held() && s.rec.Instance == s.me }

// samePair compares indexes and values, for there are stores whose indexes
// repeat.
func samePair(a, b *store.KVPair) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.LastIndex == b.LastIndex && bytes.Equal(a.Value, b.Value)
}
