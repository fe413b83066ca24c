package election

import "testing"

func TestOwnTermOfAMissingEarlierSessionIsTakenAfterATTL(t *testing.T) {
	s := newStable(t)
	s.beats("one", "a", 1)
	a := s.rider("a", "one")
	a.goes()
	a.Over(Expired)
	a.leads = false
	delete(s.pairs, "one")
	s.beats("three", "a", 1)
	a.Ride("three")
	s.pass(2*rideTTL, nil, a)
	s.wants("a claim seat", "a one", "a claim seat")
	if _, rec := s.read(seat); rec.Session != "three" || !a.leads {
		t.Errorf("%+v", rec)
	}
}

// TestTermThatWasLeftOnALivingSessionIsTakenAfterATTL: nobody else can tell that it was left.
func TestTermThatWasLeftOnALivingSessionIsTakenAfterATTL(t *testing.T) {
	s := newStable(t)
	s.beats("one", "a", 1)
	s.rider("left", "one").goes()
	a := s.rider("a", "one")
	s.left = true
	began := s.now
	beat := uint64(1)
	s.pass(2*rideTTL, func() { beat++; s.beats("one", "a", beat) }, a)
	s.wants("left claim seat", "a claim seat")
	if _, rec := s.read(seat); !a.leads || rec.Last.Leader != "left" || a.term.began.Mono-began < rideTTL {
		t.Errorf("%+v, taken after %v", rec, a.term.began.Mono-began)
	}
}
