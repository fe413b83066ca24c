package invariants

import (
	"testing"
	"time"
)

// soundRound returns a state in which anna works by an attempt of 100 s, and renews it,
// while ben, who is late, sends another.
func soundRound() *RoundState {
	before := RoundWrite{Winner: "ben", Number: 4, At: 80 * time.Second, TTL: ttlOf}
	w := RoundWrite{Winner: "anna", Number: 5, At: 100 * time.Second, TTL: ttlOf}
	renewed := RoundWrite{Winner: "anna", Number: 5, At: 104 * time.Second, TTL: ttlOf}
	return &RoundState{
		Now: 105 * time.Second, Writes: []RoundWrite{before, w, renewed}, Durable: 1,
		Views:  []View{{Who: "ben", Write: Write{At: w.At}, Since: 101 * time.Second}},
		Trusts: []Trust{{Node: "anna", Clock: steady{}, Number: 5, Left: 3 * time.Second}},
		Attempts: []RoundAttempt{
			{Kind: Renew, Owner: "anna", Clock: steady{}, Number: 5, Start: 103 * time.Second, TTL: ttlOf, Length: lasts, Based: &w, Made: &renewed, Open: true},
			{Kind: Begin, Owner: "ben", Clock: steady{}, Number: 5, Start: 99 * time.Second, TTL: ttlOf, Length: lasts, Based: &before},
		},
	}
}

func TestInvariantsHoldOfASoundRound(t *testing.T) {
	if name, how := RoundBroken(soundRound()); name != "" {
		t.Errorf("%s: %s", name, how)
	}
}

func TestEachInvariantOfRoundsIsFoundBroken(t *testing.T) {
	for want, breaks := range map[string]func(*RoundState){
		"writes are in the order of time":                       func(s *RoundState) { s.Writes[2].At = 99 * time.Second },
		"numbers rise, each is one node's":                      func(s *RoundState) { s.Writes[2].Winner = "ben" },
		"what is seen was written before":                       func(s *RoundState) { s.Views[0].Since = 99 * time.Second },
		"an attempt begins after the write that it replaces":    func(s *RoundState) { s.Attempts[0].Start = 99 * time.Second },
		"a rival begins an attempt when the one before is over": func(s *RoundState) { s.Attempts[1].Start = 89 * time.Second },
		"only the winner renews an attempt, or ends it":         func(s *RoundState) { s.Attempts[1].Kind, s.Attempts[1].Owner = Complete, "anna" },
		"no renewal shortens an attempt":                        func(s *RoundState) { s.Writes[2].TTL = ttlOf / 2 },
		"what was applied is what was sent, and later":          func(s *RoundState) { s.Attempts[0].Start = 104*time.Second + 1 },
		"what is completed, or won for ever, stays so":          func(s *RoundState) { s.Writes[1].Done = true },
		"while an attempt may yet be trusted nobody else is written": func(s *RoundState) {
			s.Trusts = nil
			s.Writes = append(s.Writes, RoundWrite{Winner: "ben", Number: 6, At: 105 * time.Second, TTL: ttlOf})
		},
		"while a node trusts nobody else is written": func(s *RoundState) { s.Trusts[0].Node = "ben" },
		"trust is over before a rival may begin":     func(s *RoundState) { s.Trusts[0].Left = 6 * time.Second },
	} {
		s := soundRound()
		breaks(s)
		if name, how := RoundBroken(s); name != want {
			t.Errorf("broken is %q (%s), want %q", name, how, want)
		}
	}
	if n := len(Rounds); n != 12 {
		t.Errorf("%d invariants", n)
	}
}
