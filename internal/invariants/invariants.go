// Package invariants has those of the proof (see proof/README.md), as far as they can be
// seen from outside, for all that plays elections: the simulation, and the exploration of
// the state machine. They have the names that they have in the models.
package invariants

import (
	"fmt"
	"slices"
	"time"
)

// Nobody is the holder of a vacant seat.
const Nobody = ""

// Clock is a claimant's. Instants are in real time.
type Clock interface {
	// Elapsed returns how long a leader counts from one instant to another (S4).
	Elapsed(from, to time.Duration) time.Duration
	// Waited returns how long a rival counts (S2).
	Waited(from, to time.Duration) time.Duration
}

// Write is one that the store has applied.
type Write struct {
	Holder string
	Token  uint64
	At     time.Duration
	TTL    time.Duration
}

// View is what somebody has seen last: a write, and since when.
type View struct {
	Who   string
	Write Write
	Since time.Duration
	Guard time.Duration // until when it waits for a record that is gone
}

// Loss is a record that was lost, whose holder may lead on by it.
type Loss struct {
	Holder string
	Token  uint64
	Until  time.Duration
}

// Claimant is one that may lead.
type Claimant struct {
	Name   string
	Clock  Clock
	Length time.Duration // TTL less margin
	Term   uint64        // token of the last term that it has led
	Leads  bool          // by that
	Works  bool          // its work has not returned, and was told to end within the trust
}

// Kind is what an attempt does.
type Kind int

// The kinds.
const (
	Renewal Kind = iota
	Claim
	Vacancy
	Note
)

// Attempt is a write that was sent.
type Attempt struct {
	Kind   Kind
	Owner  string
	Clock  Clock
	Token  uint64
	Start  time.Duration
	Length time.Duration // for how long its owner may trust it
	Hold   time.Duration // for how long its owner leaves the seat to others
	Based  *Write        // what it is to replace; nil where that is not known
	Made   *Write        // what it has become; nil for nothing yet
	Open   bool          // its owner may yet come to trust in it
	Ended  bool          // the last term of its owner is over, and its work has returned
}

// State is one of an election.
type State struct {
	Now       time.Duration
	Writes    []Write // from the last one that no failover takes back to the one that stands
	Views     []View
	Claimants []Claimant
	Attempts  []Attempt
	Highest   uint64 // token of all terms that have begun
	Lost      Loss   // until then, and while it has not been written again: what all have seen that was lost
}

// Invariant holds at all times in states of one kind.
type Invariant[S any] struct {
	Name   string
	broken func(*S) string // how, or nothing
}

// Broken returns the name of the first invariant that does not hold, and how it is
// broken; or nothing.
func Broken(s *State) (name, how string) {
	all := All
	if s.Lost.Holder != Nobody {
		all = AfterLoss
	}
	return first(all, s)
}

func first[S any](all []Invariant[S], s *S) (name, how string) {
	for _, i := range all {
		if how := i.broken(s); how != "" {
			return i.Name, how
		}
	}
	return "", ""
}

// AfterLoss are the invariants that hold while somebody may lead whose record was lost.
var AfterLoss = []Invariant[State]{
	{"only the holder trusts, or who has lost its record", every(func(s *State, c Claimant) bool {
		return !c.Leads || c.Name == s.Lost.Holder
	})},
	{"a rival that has seen the lost record waits for it", func(s *State) string {
		for _, v := range s.Views {
			if v.Who != s.Lost.Holder && v.Guard < s.Lost.Until && (v.Write.Holder != s.Lost.Holder || v.Write.Token != s.Lost.Token) {
				return fmt.Sprintf("%s waits until %v, and not until %v", v.Who, v.Guard, s.Lost.Until)
			}
		}
		return ""
	}},
	{"a claim has waited for what it replaces, and for what was lost", each(func(s *State, a Attempt) bool {
		return a.Kind != Claim || a.Based == nil || a.Owner == s.Lost.Holder || a.Start >= s.Lost.Until
	})},
}

// All are the invariants of an election whose record was not lost.
var All = []Invariant[State]{
	{"writes are in the order of time", func(s *State) string {
		for i := range s.Writes {
			if w := s.Writes[i]; w.At > s.Now || i > 0 && w.At < s.Writes[i-1].At {
				return fmt.Sprintf("a write of %v after %v", w.At, s.Writes[max(0, i-1)].At)
			}
		}
		return ""
	}},
	{"tokens rise, each has one holder", func(s *State) string {
		for i := 1; i < len(s.Writes); i++ {
			a, b := s.Writes[i-1], s.Writes[i]
			if b.Token < a.Token || b.Token == a.Token && b.Holder != Nobody && b.Holder != a.Holder {
				return fmt.Sprintf("token %d of %q, and then %d of %q", a.Token, a.Holder, b.Token, b.Holder)
			}
		}
		return ""
	}},
	{"what is seen was written before", of(func(s *State) []View { return s.Views }, func(s *State, v View) bool {
		return v.Write.At <= v.Since && v.Since <= s.Now
	})},
	{"an attempt begins after the write that it replaces", each(func(s *State, a Attempt) bool {
		return a.Start <= s.Now && (a.Based == nil || a.Based.At <= a.Start)
	})},
	{"a renewal replaces its owner's record", each(func(_ *State, a Attempt) bool {
		return a.Kind != Renewal || a.Based == nil || a.Based.Holder == a.Owner && a.Based.Token == a.Token
	})},
	{"a claim has waited for what it replaces", each(func(_ *State, a Attempt) bool {
		if a.Kind != Claim || a.Based == nil || a.Based.Holder == a.Owner {
			return true
		}
		return a.Token > a.Based.Token && a.Clock.Waited(a.Based.At, a.Start) >= a.Hold+ttl(*a.Based)
	})},
	{"a seat is given up once its term is over, and its work has returned", each(func(_ *State, a Attempt) bool {
		return a.Kind != Vacancy || a.Based == nil || a.Based.Holder != Nobody && a.Based.Token == a.Token && a.Ended
	})},
	{"a note changes neither holder nor token", each(func(_ *State, a Attempt) bool {
		return a.Kind != Note || a.Based == nil || a.Based.Token == a.Token
	})},
	{"what was applied is what was sent, and later", each(func(_ *State, a Attempt) bool {
		return a.Made == nil || a.Start <= a.Made.At && a.Token == a.Made.Token && (a.Kind > Claim || a.Made.Holder == a.Owner)
	})},
	{"while an attempt may yet be trusted nobody else is written", each(func(s *State, a Attempt) bool {
		return a.Made == nil || !a.Open || !slices.ContainsFunc(s.Writes, func(w Write) bool {
			return w.At > a.Made.At && w.Holder != a.Owner && a.Clock.Elapsed(a.Start, w.At) < a.Length
		})
	})},
	{"trust is bounded by the last write that was acknowledged", every(func(s *State, c Claimant) bool {
		return !c.Leads || c.Clock.Elapsed(s.Writes[0].At, s.Now) < c.Length
	})},
	{"while a claimant trusts nobody else is written", every(func(s *State, c Claimant) bool {
		return !c.Leads && !c.Works || !slices.ContainsFunc(s.Writes, func(w Write) bool { return w.Holder != c.Name })
	})},
	{"a term that goes on was acknowledged", every(func(s *State, c Claimant) bool {
		return !c.Leads || c.Term <= s.Writes[0].Token
	})},
	{"the term with the highest token is its holder's", every(func(s *State, c Claimant) bool {
		return !slices.ContainsFunc(s.Writes, func(w Write) bool { return w.Holder == c.Name && w.Token == s.Highest && c.Term < w.Token })
	})},
	{"a term that may yet begin has a higher token", each(func(s *State, a Attempt) bool {
		term := uint64(0)
		for _, c := range s.Claimants {
			if c.Name == a.Owner {
				term = c.Term
			}
		}
		return a.Made == nil || !a.Open || a.Token <= term || s.Highest < a.Token || a.Clock.Elapsed(a.Start, s.Now) >= a.Length
	})},
}

// Unseen are the invariants of elections, and of rounds, that do not show from outside, and
// why.
var Unseen = map[string]string{
	"what stands is the last write that no failover has taken back": "a State has no others",
	"what was acknowledged is kept":                                 "a State has no others",
	"what a server tells lasts no longer than what it has written":  "the simulation holds each answer against the clock of its server when it is given",
}

// ttl is for how long a rival waits for a write.
func ttl(w Write) time.Duration {
	if w.Holder == Nobody {
		return 0
	}
	return w.TTL
}

// each makes an invariant of all attempts.
func each(holds func(*State, Attempt) bool) func(*State) string {
	return of(func(s *State) []Attempt { return s.Attempts }, holds)
}

// of makes an invariant of all the things that a state has of one kind.
func of[S any, T fmt.Stringer](things func(*S) []T, holds func(*S, T) bool) func(*S) string {
	return func(s *S) string {
		for _, t := range things(s) {
			if !holds(s, t) {
				return t.String()
			}
		}
		return ""
	}
}

// every makes an invariant of all claimants, where anything was written.
func every(holds func(*State, Claimant) bool) func(*State) string {
	return func(s *State) string {
		for _, c := range s.Claimants {
			if len(s.Writes) > 0 && !holds(s, c) {
				return fmt.Sprintf("%s, whose last term has token %d, and the writes %v", c.Name, c.Term, s.Writes)
			}
		}
		return ""
	}
}

func (k Kind) String() string { return [...]string{"renewal", "claim", "vacancy", "note"}[k] }

func (a Attempt) String() string {
	s := fmt.Sprintf("%v of %q, with token %d, since %v", a.Kind, a.Owner, a.Token, a.Start)
	if a.Based != nil {
		s += fmt.Sprintf(", in place of %v", *a.Based)
	}
	if a.Made != nil {
		s += fmt.Sprintf(", as %v", *a.Made)
	}
	return s
}

func (w Write) String() string {
	if w.Holder == Nobody {
		return fmt.Sprintf("token %d, vacant at %v", w.Token, w.At)
	}
	return fmt.Sprintf("token %d of %q at %v", w.Token, w.Holder, w.At)
}
