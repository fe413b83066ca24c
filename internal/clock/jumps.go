package clock

import (
	"sync"
	"time"
)

const (
	// LookEvery is how often Jumps compares the two clocks.
	LookEvery = 100 * time.Millisecond

	// slack is by how much the two clocks may go apart unnoticed: they are not read
	// at quite the same moment.
	slack = 10 * time.Millisecond
)

// Looker is told to look at the clock again.
type Looker interface{ Look() }

// Jumps notices when the wall clock of a machine runs ahead of the monotonic one, as
// it does when the machine was suspended: then time has run out that timers know
// nothing of (S4). One timer serves all that wait for it, and there is none while
// nobody does. Make it with NewJumps. It is safe for concurrent use.
type Jumps struct {
	clock Clock

	mu      sync.Mutex
	lookers map[Looker]struct{}
	ticking bool
	ahead   time.Duration // wall less monotonic clock
}

// NewJumps returns the Jumps of a clock.
func NewJumps(c Clock) *Jumps {
	return &Jumps{clock: c, lookers: make(map[Looker]struct{})}
}

// Add has l look soon after each jump from now on: within LookEvery of when the machine
// goes on. A nil Jumps does nothing.
func (j *Jumps) Add(l Looker) {
	if j == nil {
		return
	}
	ahead := j.clock.Now().ahead()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lookers[l] = struct{}{}
	if !j.ticking {
		j.ticking, j.ahead = true, ahead
		j.clock.AfterFunc(LookEvery, j.tick)
	}
}

// Remove ends what Add began. It does not wait for a look that is under way.
func (j *Jumps) Remove(l Looker) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.lookers, l)
}

func (j *Jumps) tick() {
	for _, l := range j.compare(j.clock.Now().ahead()) {
		l.Look()
	}
}

// compare returns who has to look, and sets the timer again.
func (j *Jumps) compare(ahead time.Duration) []Looker {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.lookers) == 0 {
		j.ticking = false
		return nil
	}
	j.clock.AfterFunc(LookEvery, j.tick)
	before := j.ahead
	if ahead < before || ahead > before+slack {
		j.ahead = ahead
	}
	if ahead <= before+slack {
		return nil
	}
	lookers := make([]Looker, 0, len(j.lookers))
	for l := range j.lookers {
		lookers = append(lookers, l)
	}
	return lookers
}
