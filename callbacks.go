package leadership

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/relay"
)

// Callbacks are functions that are told what becomes of an election. Those that
// are nil are not called. They are called in order, one at a time, by one
// goroutine of the campaign. A slow one delays the others, and the end of the
// campaign, and so the next campaign of this candidate, but nothing else in the
// election: what became obsolete meanwhile is not told.
type Callbacks struct {
	// OnElected is told that a term of the candidate has begun. By then it
	// may be over: before doing what only a leader may do, ask IsLeader.
	OnElected func(term Term)

	// OnDemoted is told that a term is over that OnElected was told of, and
	// why: ErrLost, ErrResigned and so on. Each call of OnElected is followed
	// by one of OnDemoted before the next.
	OnDemoted func(term Term, reason error)

	// OnLeaderChange is told who leads now: this candidate or another. Term
	// has an empty Leader when nobody does; its Last tells how the term
	// before has ended, where that is known.
	OnLeaderChange func(term Term)

	// OnStanding is told how the election stands, after each change of its
	// record: renewals and requests too. Only a follower calls it.
	OnStanding func(s Standing)

	// OnError is told of errors, as the error channel is.
	OnError func(err error)
}

// none reports whether there is nobody to call.
func (c Callbacks) none() bool {
	return c.OnElected == nil && c.OnDemoted == nil && c.OnLeaderChange == nil && c.OnStanding == nil && c.OnError == nil
}

// listen calls the functions until there are no notices any more.
func (c Callbacks) listen(n *notices) {
	var told *term // the term that OnElected was told of
	for {
		next, ok := n.next()
		if !ok {
			return
		}
		switch {
		case next.err != nil:
			if c.OnError != nil {
				c.OnError(next.err)
			}
		case next.term != nil:
			if c.OnLeaderChange != nil {
				c.OnLeaderChange(*next.term)
			}
		case next.standing != nil:
			if c.OnStanding != nil {
				c.OnStanding(*next.standing)
			}
		case next.ended != nil:
			if told == next.of && c.OnDemoted != nil {
				c.OnDemoted(told.clone(), next.ended)
			}
			told = nil
		case next.of.Valid():
			told = next.of
			if c.OnElected != nil {
				c.OnElected(told.clone())
			}
		}
	}
}

// Demotion is the end of a term.
type Demotion struct {
	Term   Term
	Reason error // ErrLost, ErrResigned and so on
}

// Signals are the changes of leadership, over a channel for each kind. All
// three are to be read. They are told in order: a promotion is followed by its
// demotion before the next, and where an error has ended a term, the demotion
// comes before the error. A promotion that is not read before its term is over
// is taken back, and its demotion not told.
type Signals struct {
	Promoted <-chan Term
	Demoted  <-chan Demotion
	Errored  <-chan error
}

// RunForSignals campaigns as RunForElection does, and tells the changes over
// three channels. It does not block. The channels are closed when the campaign
// has ended; what is not read within one TTL of that is dropped.
//
// What cannot be run, or is running already, is told over Errored, as
// ErrInvalidArgument or ErrRunning; until the campaign has ended, Run and
// RunForElection return ErrRunning.
func (c *Candidate) RunForSignals(ctx context.Context) Signals {
	s := &signals{
		notices: newNotices(), grace: c.ttl,
		promoted: make(chan Term), demoted: make(chan Demotion), errored: make(chan error, 1),
	}
	campaign, err := c.start(ctx, mode{signals: s.notices})
	if err != nil {
		s.errored <- err
		s.close()
	} else {
		go s.listen(campaign.done)
	}
	return Signals{s.promoted, s.demoted, s.errored}
}

// signals are the listener that feeds Signals.
type signals struct {
	*notices
	grace    time.Duration // after the end of the campaign
	promoted chan Term
	demoted  chan Demotion
	errored  chan error
}

// listen tells all notices, until there are none any more or, some time after
// ended is closed, nobody reads.
func (s *signals) listen(ended <-chan struct{}) {
	defer s.close()
	late := make(chan struct{})
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-ended:
		case <-stop:
			return
		}
		timer := time.NewTimer(s.grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			close(late)
		case <-stop:
		}
	}()

	var told *term // the term whose promotion was read
	for {
		next, ok := s.next()
		if !ok {
			return
		}
		switch {
		case next.err != nil:
			select {
			case s.errored <- next.err:
			case <-late:
				return
			}
		case next.ended != nil:
			if told != next.of {
				continue
			}
			select {
			case s.demoted <- Demotion{told.clone(), next.ended}:
			case <-late:
				return
			}
			told = nil
		case next.of != nil && next.of.Valid():
			select {
			case s.promoted <- next.of.clone():
				told = next.of
			case <-next.of.lease.Context().Done():
			case <-late:
				return
			}
		}
	}
}

func (s *signals) close() {
	close(s.promoted)
	close(s.demoted)
	close(s.errored)
}

// notice is something that a listener is to be told.
type notice struct {
	of    *term // that has begun, or is over
	ended error // why it is over; nil if it has begun
	term  *Term // of the present leader
	err   error

	standing *Standing // how the election stands now
}

// notices are what a listener has yet to be told, in order. Adding to
// them never waits for the listener (S9): a term that is over before the
// listener heard of it is not told at all, of two leaders, or standings, the latter
// is told, and of more than relay.Errors errors the latest.
type notices struct {
	wake chan struct{}

	mu      sync.Mutex
	pending []notice
	closed  bool
}

func newNotices() *notices { return &notices{wake: make(chan struct{}, 1)} }

// began adds that a term has begun.
func (n *notices) began(t *term) { n.add(notice{of: t}, nil) }

// ended adds that a term is over, and why, or takes back that it has begun.
func (n *notices) ended(t *term, why error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if i := slices.IndexFunc(n.pending, func(p notice) bool { return p.of == t }); i >= 0 {
		n.pending = slices.Delete(n.pending, i, i+1)
		return
	}
	n.pending = append(n.pending, notice{of: t, ended: why})
	relay.Wake(n.wake)
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
	if errs == relay.Errors {
		n.pending = slices.Delete(n.pending, oldest, oldest+1)
	}
	n.pending = append(n.pending, notice{err: err})
	relay.Wake(n.wake)
}

// add adds a notice in place of those that it replaces.
func (n *notices) add(one notice, replaces func(notice) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if replaces != nil {
		n.pending = slices.DeleteFunc(n.pending, replaces)
	}
	n.pending = append(n.pending, one)
	relay.Wake(n.wake)
}

// close says that nothing will be added.
func (n *notices) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	relay.Wake(n.wake)
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
