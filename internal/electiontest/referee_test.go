package electiontest

import "testing"

func TestRulebook(t *testing.T) {
	type looks [][]uint64 // two for each check that finds more than one leader
	for _, test := range []struct {
		name  string
		looks looks
		fair  []bool
	}{
		{"one leader", looks{{0, 5}, {0, 5}}, []bool{true, true}},
		{"one after another", looks{{5, 0}, {0, 0}, {0, 6}}, []bool{true, true, true}},
		{"a handover between two glances", looks{{5, 6}, {0, 6}, {0, 6}}, []bool{true, true}},
		{"a term that goes on when the next has begun", looks{{5, 6}, {7, 6}}, []bool{false}},
		{"two at one instant", looks{{5, 6}, {5, 6}}, []bool{false}},
		{"two of three at one instant", looks{{5, 6, 7}, {0, 6, 7}}, []bool{false}},
		{"a token that falls", looks{{0, 5}, {4, 0}}, []bool{true, false}},
		{"a token given twice", looks{{0, 5}, {5, 0}}, []bool{true, false}},
		{"an old leader that comes back", looks{{5, 0}, {0, 6}, {5, 0}}, []bool{true, true, false}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var rules rulebook
			next := 0
			look := func() []uint64 { next++; return test.looks[next-1] }
			for i, fair := range test.fair {
				if err := rules.check(look); (err == nil) != fair {
					t.Errorf("check %d: %v; want fair: %v", i, err, fair)
				}
			}
		})
	}
}
