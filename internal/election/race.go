package election

import (
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
)

const (
	// raceSlot is how many times as long as a quick call of the store a slot of a race is:
	// long enough to hear that another has won.
	raceSlot = 3

	fewest, most = 2, 1 << 12 // candidates that want one seat, as a race estimates
)

// race keeps the candidates of one election from claiming a free seat all at once. Of n
// candidates each tries at once with probability 2/n, after a slot with 4/n, then 8/n,
// and so on, and none once it sees that another has won: so few write, and the seat is
// empty for a few slots at most. How many there are each estimates by itself, from how its
// claims go: a number that is too high costs a slot for each doubling. The zero value
// estimates two, which both try at once.
//
// It is the repeated increase of probabilities by which stations of unknown number wake up
// a radio channel: T. Jurdziński, G. Stachowiak, "Probabilistic Algorithms for the Wakeup
// Problem in Single-Hop Radio Networks", 2002.
type race struct {
	n     int
	drawn bool
	free  time.Duration // since when the seat is free that was drawn for
	slots int           // that were drawn
	try   time.Duration // when to try to take it
}

// turn returns when to try to take a seat that is free from free on.
func (r *race) turn(at, free, slot time.Duration, chance func() float64) time.Duration {
	if at < free {
		return free
	}
	if !r.drawn || r.free != free {
		r.drawn, r.free, r.slots = true, free, 0
		for p := fewest / float64(max(r.n, fewest)); chance() >= p; p *= 2 {
			r.slots++
		}
		r.try = clock.Later(at, time.Duration(r.slots)*slot)
	}
	return r.try
}

// lost notes that another was faster. slower is how many times longer than a quick call it
// took to learn that: as many others were in the way.
func (r *race) lost(slower int) { r.n = min(max(r.n, fewest)*min(max(slower, 2), most), most) }

// won notes that a claim has succeeded: nobody else has tried in all these slots.
func (r *race) won() { r.n = max(r.n>>max(r.slots, 1), fewest) }
