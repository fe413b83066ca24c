package sim

import (
	"sync"
	"sync/atomic"
	"time"
)

// place is where the processes of one node run, one after the other.
type place struct {
	stays bool          // one is running when the faults end
	quit  chan struct{} // closed to make it stop for good
	ended chan struct{} // closed when it has
	up    atomic.Bool   // a process is running, and not about to end

	mu      sync.Mutex
	current *contender
}

func newPlace(stays bool) *place {
	return &place{stays: stays, quit: make(chan struct{}), ended: make(chan struct{})}
}

// seat takes note of who runs here from now on.
func (p *place) seat(who *contender) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current = who
}

// contender returns the last that ran here.
func (p *place) contender() *contender {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

// running reports whether somebody is to go on running here.
func (p *place) running() bool {
	select {
	case <-p.quit:
		return false
	case <-p.ended:
		return false
	default:
		return true
	}
}

// sleep waits for d, or until the place is to be left.
func (p *place) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.quit:
		return false
	}
}
