package invariants

import (
	"testing"
	"time"
)

type steady struct{}

func (steady) Elapsed(from, to time.Duration) time.Duration { return to - from }
func (steady) Waited(from, to time.Duration) time.Duration  { return to - from }

const (
	ttlOf = 10 * time.Second
	lasts = 8 * time.Second
)

// sound returns a state in which anna leads by a write of 100 s, and renews it, while ben's
// name is noted by another write.
func sound() *State {
	w := Write{Holder: "anna", Token: 5, At: 100 * time.Second, TTL: ttlOf}
	renewed := Write{Holder: "anna", Token: 5, At: 104 * time.Second, TTL: ttlOf}
	return &State{
		Now: 105 * time.Second, Writes: []Write{w, renewed}, Highest: 5,
		Views: []View{{Who: "ben", Write: w, Since: 101 * time.Second}},
		Claimants: []Claimant{
			{Name: "anna", Clock: steady{}, Length: lasts, Term: 5, Leads: true}, {Name: "ben", Clock: steady{}, Length: lasts},
		},
		Attempts: []Attempt{
			{Kind: Renewal, Owner: "anna", Clock: steady{}, Token: 5, Start: 103 * time.Second, Length: lasts, Based: &w, Made: &renewed, Open: true},
			{Kind: Note, Owner: "ben", Clock: steady{}, Token: 5, Start: 103 * time.Second, Length: lasts, Based: &w},
		},
	}
}

func TestInvariantsHoldOfASoundElection(t *testing.T) {
	if name, how := Broken(sound()); name != "" {
		t.Errorf("%s: %s", name, how)
	}
	s := sound()
	s.Lost = Loss{Holder: "anna", Token: 5, Until: 112 * time.Second}
	s.Views[0].Write = Write{}
	s.Views[0].Guard = 113 * time.Second
	if name, how := Broken(s); name != "" {
		t.Errorf("after a loss: %s: %s", name, how)
	}
}

func TestEachInvariantIsFoundBroken(t *testing.T) {
	vacant := Write{Token: 5, At: 100 * time.Second}
	for want, breaks := range map[string]func(*State){
		"writes are in the order of time":                                     func(s *State) { s.Writes[1].At = 99 * time.Second },
		"tokens rise, each has one holder":                                    func(s *State) { s.Writes[1].Holder = "ben" },
		"what is seen was written before":                                     func(s *State) { s.Views[0].Since = 99 * time.Second },
		"an attempt begins after the write that it replaces":                  func(s *State) { s.Attempts[1].Start = 99 * time.Second },
		"a renewal replaces its owner's record":                               func(s *State) { s.Attempts[0].Owner = "ben" },
		"a claim has waited for what it replaces":                             func(s *State) { s.Attempts[1].Kind, s.Attempts[1].Token = Claim, 6 },
		"a seat is given up once its term is over, and its work has returned": func(s *State) { s.Attempts[1].Kind = Vacancy },
		"a note changes neither holder nor token":                             func(s *State) { s.Attempts[1].Token = 6 },
		"what was applied is what was sent, and later":                        func(s *State) { s.Attempts[0].Start = 105 * time.Second },
		"while an attempt may yet be trusted nobody else is written": func(s *State) {
			s.Claimants[0].Leads, s.Claimants[0].Term = false, 4
			s.Writes = append(s.Writes, Write{Holder: "ben", Token: 6, At: 105 * time.Second})
		},
		"trust is bounded by the last write that was acknowledged": func(s *State) { s.Now = 108 * time.Second },
		"while a claimant trusts nobody else is written": func(s *State) {
			s.Attempts = nil
			s.Writes[1] = Write{Holder: "ben", Token: 6, At: 104 * time.Second}
		},
		"a term that goes on was acknowledged":               func(s *State) { s.Claimants[0].Term = 6 },
		"the term with the highest token is its holder's":    func(s *State) { s.Claimants[0].Term = 4 },
		"a term that may yet begin has a higher token":       func(s *State) { s.Claimants[0] = Claimant{Name: "anna", Term: 4}; s.Highest = 7 },
		"only the holder trusts, or who has lost its record": func(s *State) { s.Lost = Loss{"carl", 4, 112 * time.Second} },
		"a rival that has seen the lost record waits for it": func(s *State) {
			s.Lost = Loss{"anna", 5, 112 * time.Second}
			s.Views[0].Write = vacant
		},
		"a claim has waited for what it replaces, and for what was lost": func(s *State) {
			s.Lost = Loss{"anna", 5, 112 * time.Second}
			s.Attempts[1].Kind = Claim
		},
	} {
		s := sound()
		breaks(s)
		if name, how := Broken(s); name != want {
			t.Errorf("broken is %q (%s), want %q", name, how, want)
		}
	}
	if n := len(All) + len(AfterLoss); n != 18 {
		t.Errorf("%d invariants", n)
	}
}
