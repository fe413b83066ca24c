package leadership

import (
	"slices"
	"sync"
)

// notice is something that a listener is to be told.
type notice struct {
	lease *lease // of a term that has begun, or is over
	ended error  // why it is over; nil if it has begun
	term  *Term  // of whoever leads now
	err   error

	standing *Standing // how the election stands now
}

// notices are what a listener has yet to be told, in order. Whoever adds to
// them never waits for the listener (S9): a term that is over before the
// listener heard of it is not told at all, of two leaders, or standings, the latter
// is told, and of more than errorBuffer errors the latest.
type notices struct {
	wake chan struct{}

	mu      sync.Mutex
	pending []notice
	closed  bool
}

func newNotices() *notices { return &notices{wake: make(chan struct{}, 1)} }

// began adds that a term has begun.
func (n *notices) began(l *lease) { n.add(notice{lease: l}, nil) }

// ended adds that a term is over, and why, or takes back that it has begun.
func (n *notices) ended(l *lease, why error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if i := slices.IndexFunc(n.pending, func(p notice) bool { return p.lease == l }); i >= 0 {
		n.pending = slices.Delete(n.pending, i, i+1)
		return
	}
	n.pending = append(n.pending, notice{lease: l, ended: why})
	nudge(n.wake)
}

// leads adds who leads now: the zero leader for nobody.
func (n *notices) leads(t Term) {
	n.add(notice{term: &t}, func(p notice) bool { return p.term != nil })
}

// stands adds how the election stands now.
func (n *notices) stands(s Standing) {
	n.add(notice{standing: &s}, func(p notice) bool { return p.standing != nil })
}

// failed adds an error.
func (n *notices) failed(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	errs, oldest := 0, -1
	for i, p := range n.pending {
		if p.err != nil {
			if errs++; oldest < 0 {
				oldest = i
			}
		}
	}
	if errs == errorBuffer {
		n.pending = slices.Delete(n.pending, oldest, oldest+1)
	}
	n.pending = append(n.pending, notice{err: err})
	nudge(n.wake)
}

// add adds a notice in place of those that it replaces.
func (n *notices) add(one notice, replaces func(notice) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if replaces != nil {
		n.pending = slices.DeleteFunc(n.pending, replaces)
	}
	n.pending = append(n.pending, one)
	nudge(n.wake)
}

// close says that nothing will be added.
func (n *notices) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	nudge(n.wake)
}

// next takes the next notice, and waits for one. It returns false when there
// is none and there will be none. Only the listener may call it.
func (n *notices) next() (notice, bool) {
	for {
		n.mu.Lock()
		pending, closed := n.pending, n.closed
		if len(pending) > 0 {
			n.pending = pending[1:]
			n.mu.Unlock()
			return pending[0], true
		}
		n.mu.Unlock()
		if closed {
			return notice{}, false
		}
		<-n.wake
	}
}
