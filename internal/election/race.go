package election

import (
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
)

const (
	// raceSlot is how many times as long as a quick call of the store a slot of a race is at
	// least: long enough to hear that another has won.
	raceSlot = 3

	// raceServed is how many calls the store is taken to serve in the time that a quick one
	// takes, when many come at once. Were it taken for slower, those who lose would learn of
	// each other over dozens of vacancies only.
	raceServed = 4

	fewest, most = 2, 1 << 12 // candidates that want one seat, as a race estimates
)

// race keeps the candidates of one election from claiming a free seat all at once. Of n
// candidates each tries at once with probability 2/n, after a slot with 4/n, then 8/n,
// and so on, and none once it sees that another has won: so few write, and the seat is
// empty for a few slots at most. How many there are, and how long a slot has to be, each
// estimates by itself, from what it sees of others. The zero value estimates two, which both
// try at once.
//
// It is the repeated increase of probabilities by which stations of unknown number wake up
// a radio channel: T. Jurdziński, G. Stachowiak, "Probabilistic Algorithms for the Wakeup
// Problem in Single-Hop Radio Networks", 2002.
type race struct {
	n    int
	news time.Duration // how long it takes to see that another has won

	drawn bool
	free  time.Duration // since when the seat is free that was drawn for
	at    time.Duration // when it was drawn
	slot  time.Duration // how long one was then
	slots int           // that were drawn
}

// turn returns when to try to take a seat that is free from free on. quick is how long a call
// of the store takes, and longest how long a slot may be.
func (r *race) turn(at, free, quick, longest time.Duration, chance func() float64) time.Duration {
	if at < free {
		return free
	}
	if !r.drawn || r.free != free {
		r.drawn, r.free, r.at, r.slots = true, free, at, 0
		for p := fewest / float64(max(r.n, fewest)); chance() >= p; p *= 2 {
			r.slots++
		}
		r.slot = min(max(raceSlot*quick, r.news), longest)
	}
	return r.try()
}

// try returns when to try to take the seat.
func (r *race) try() time.Duration { return clock.Later(r.at, time.Duration(r.slots)*r.slot) }

// won notes that a claim has succeeded: nobody else has tried in all these slots.
func (r *race) won() {
	if r.drawn {
		r.drawn, r.n = false, max(r.n>>max(r.slots, 1), fewest)
	}
}

// lost notes that another is seen to have the seat. For one that has not tried, that tells how
// many slots were left empty. One that has tried at once concludes that there are more
// candidates, and one that had waited, that it has to wait longer.
func (r *race) lost(at, quick time.Duration) {
	if !r.drawn {
		return
	}
	r.drawn = false
	took, late := at-r.at, at-r.try()
	if late < 0 {
		if r.news >= r.slot && took > 2*r.slot {
			r.n = max(r.n/2, fewest)
		}
		r.news -= max(r.news-took, 0) / 8
		return
	}
	if r.slots == 0 {
		r.n = min(max(r.n, fewest)*int(min(max(raceServed*late/max(quick, 1), 8), most)), most)
		r.news = max(r.news, late)
	} else {
		r.news = max(r.news, r.slot+late)
	}
}
