package httpapi

import (
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/lru"
)

// maxFound is of how many elections it is remembered how a list has found them.
const maxFound = 1 << 14

// silent tells of the elections in lists which leaders have fallen silent: those whose
// beat stood for their TTL from one list to another. It is safe for concurrent use.
type silent struct {
	found *lru.Map[string, found]
}

// found is a term as a list has found it first.
type found struct {
	token, beat uint64
	at          time.Time
}

func newSilent() silent { return silent{lru.New[string, found](maxFound)} }

// expired reports whether the leader of s is known not to have renewed its term in time.
func (l silent) expired(s leadership.Standing) bool {
	now := found{s.Term.Token, s.Beat, time.Now()}
	first := l.found.Get(s.Key, func() found { return now })
	if first.token != now.token || first.beat != now.beat {
		l.found.Put(s.Key, now)
		return false
	}
	return s.Term.Leader != "" && now.at.Sub(first.at) >= s.Term.TTL
}
