package httpapi

import (
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/lru"
)

// maxFound is the number of elections of which it is remembered when a list first found
// their present record.
const maxFound = 1 << 14

// silent finds leaders in lists that have fallen silent: those whose record was unchanged
// for their TTL from one list to another. It is safe for concurrent use.
type silent struct {
	found *lru.Map[string, found]
}

// found is a record, and when a list first found it.
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
