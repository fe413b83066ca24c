package leadership

import (
	"context"
	"time"
)

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
	campaign, err := c.start(ctx, mandate{signals: s.notices})
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

	var told *lease // the term whose promotion was read
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
			if told != next.lease {
				continue
			}
			select {
			case s.demoted <- Demotion{told.term.clone(), next.ended}:
			case <-late:
				return
			}
			told = nil
		case next.lease != nil && next.lease.standing():
			select {
			case s.promoted <- next.lease.term.clone():
				told = next.lease
			case <-next.lease.ctx.Done():
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
