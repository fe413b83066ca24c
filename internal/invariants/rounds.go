package invariants

import (
	"fmt"
	"time"
)

// RoundWrite is a write of the record of a round.
type RoundWrite struct {
	Winner string
	Number uint64 // of the attempt
	At     time.Duration
	TTL    time.Duration // of the attempt; 0: for ever
	Done   bool
}

// Trust is that of a node in an attempt with a TTL, as one of its processes tells.
type Trust struct {
	Node   string
	Clock  Clock
	Number uint64
	Left   time.Duration // from now on
}

// RoundKind is what a write of a round's record does.
type RoundKind int

// The kinds.
const (
	Begin RoundKind = iota
	Renew
	Complete
	Fail
)

// RoundAttempt is such a write that was sent.
type RoundAttempt struct {
	Kind   RoundKind
	Owner  string
	Clock  Clock
	Number uint64
	Start  time.Duration
	TTL    time.Duration // that it writes
	Length time.Duration // for how long its owner may trust it
	Based  *RoundWrite   // what it is to replace; nil where that is not known, or nothing
	Made   *RoundWrite   // what it has become; nil for nothing yet
	Open   bool          // its owner may yet come to trust in it
}

// RoundState is one of a round.
type RoundState struct {
	Now      time.Duration
	Writes   []RoundWrite // those that no failover has taken back
	Durable  int          // which of them is the first that one may take the round back to
	Views    []View
	Trusts   []Trust
	Attempts []RoundAttempt
}

// RoundBroken returns the name of the first invariant of rounds that does not hold, and
// how it is broken; or nothing.
func RoundBroken(s *RoundState) (name, how string) { return first(Rounds, s) }

// Rounds are the invariants of rounds.
var Rounds = []Invariant[RoundState]{
	{"writes are in the order of time", pairs(func(a, b RoundWrite) bool { return a.At <= b.At })},
	{"numbers rise, each is one node's", pairs(func(a, b RoundWrite) bool {
		return a.Number < b.Number || a.Number == b.Number && a.Winner == b.Winner
	})},
	{"what is seen was written before", of(func(s *RoundState) []View { return s.Views }, func(s *RoundState, v View) bool {
		return v.Write.At <= v.Since && v.Since <= s.Now
	})},
	{"an attempt begins after the write that it replaces", bids(func(s *RoundState, a RoundAttempt) bool {
		return a.Start <= s.Now && (a.Based == nil || a.Based.At <= a.Start)
	})},
	{"a rival begins an attempt when the one before is over", bids(func(_ *RoundState, a RoundAttempt) bool {
		return a.Kind != Begin || a.Based == nil || a.Number > a.Based.Number && !a.Based.Done && a.TTL > 0 &&
			a.Based.TTL > 0 && a.Clock.Waited(a.Based.At, a.Start) >= a.Based.TTL
	})},
	{"only the winner renews an attempt, or ends it", bids(func(_ *RoundState, a RoundAttempt) bool {
		return a.Kind == Begin || a.Based == nil || a.Based.Winner == a.Owner && a.Number == a.Based.Number &&
			(a.Kind != Renew || !a.Based.Done && a.TTL >= a.Based.TTL)
	})},
	{"no renewal shortens an attempt", pairs(func(a, b RoundWrite) bool {
		return a.Number != b.Number || a.TTL <= b.TTL && (a.TTL == 0) == (b.TTL == 0)
	})},
	{"what was applied is what was sent, and later", bids(func(_ *RoundState, a RoundAttempt) bool {
		m := a.Made
		return m == nil || a.Start <= m.At && m.Number == a.Number && m.Winner == a.Owner &&
			(a.Kind == Fail || m.Done == (a.Kind == Complete)) && m.TTL == a.TTL
	})},
	{"what is completed, or won for ever, stays so", pairs(func(a, b RoundWrite) bool {
		return (!a.Done && a.TTL > 0 || a.Winner == b.Winner && a.Number == b.Number) && (!a.Done || b.Done)
	})},
	{"while an attempt may yet be trusted nobody else is written", bids(func(s *RoundState, a RoundAttempt) bool {
		if a.Made == nil || !a.Open {
			return true
		}
		for _, w := range s.Writes {
			if w.At > a.Made.At && (w.Winner != a.Owner || w.Number != a.Number) && a.Clock.Elapsed(a.Start, w.At) < a.Length {
				return false
			}
		}
		return true
	})},
	{"while a node trusts nobody else is written", trusts(func(t Trust, _ time.Duration, w RoundWrite) bool {
		return w.Winner == t.Node
	})},
	{"trust is over before a rival may begin", trusts(func(t Trust, now time.Duration, w RoundWrite) bool {
		return w.Number == t.Number && t.Clock.Waited(w.At, now)+t.Left <= w.TTL
	})},
}

// pairs makes an invariant of each two writes that follow one another.
func pairs(holds func(a, b RoundWrite) bool) func(*RoundState) string {
	return func(s *RoundState) string {
		for i := 1; i < len(s.Writes); i++ {
			if a, b := s.Writes[i-1], s.Writes[i]; !holds(a, b) {
				return fmt.Sprintf("%v, and then %v", a, b)
			}
		}
		return ""
	}
}

// bids makes an invariant of all attempts.
func bids(holds func(*RoundState, RoundAttempt) bool) func(*RoundState) string {
	return of(func(s *RoundState) []RoundAttempt { return s.Attempts }, holds)
}

// trusts makes an invariant of each trust and each write that may stand.
func trusts(holds func(t Trust, now time.Duration, w RoundWrite) bool) func(*RoundState) string {
	return func(s *RoundState) string {
		for _, t := range s.Trusts {
			for _, w := range s.Writes[s.Durable:] {
				if !holds(t, s.Now, w) {
					return fmt.Sprintf("at %v %s trusts for %v in attempt %d, and there is %v", s.Now, t.Node, t.Left, t.Number, w)
				}
			}
		}
		return ""
	}
}

func (k RoundKind) String() string { return [...]string{"begin", "renew", "complete", "fail"}[k] }

func (a RoundAttempt) String() string {
	s := fmt.Sprintf("%v of %q, attempt %d, TTL %v, since %v", a.Kind, a.Owner, a.Number, a.TTL, a.Start)
	if a.Based != nil {
		s += fmt.Sprintf(", in place of %v", *a.Based)
	}
	if a.Made != nil {
		s += fmt.Sprintf(", as %v", *a.Made)
	}
	return s
}

func (w RoundWrite) String() string {
	return fmt.Sprintf("attempt %d of %q at %v, TTL %v, done: %v", w.Number, w.Winner, w.At, w.TTL, w.Done)
}

func (v View) String() string {
	return fmt.Sprintf("%s has seen since %v what was written at %v", v.Who, v.Since, v.Write.At)
}
