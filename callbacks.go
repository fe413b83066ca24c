package leadership

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

// WithCallbacks has functions called on the changes of an election. A follower
// calls OnLeaderChange, OnStanding and OnError only. The default is none.
func WithCallbacks(c Callbacks) Option {
	return func(o *options) { o.callbacks = c }
}

// none says whether there is nobody to call.
func (c Callbacks) none() bool {
	return c.OnElected == nil && c.OnDemoted == nil && c.OnLeaderChange == nil && c.OnStanding == nil && c.OnError == nil
}

// listen calls the functions until there are no notices any more.
func (c Callbacks) listen(n *notices) {
	var told *lease // the term that OnElected was told of
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
			if told == next.lease && c.OnDemoted != nil {
				c.OnDemoted(told.term.clone(), next.ended)
			}
			told = nil
		case next.lease.standing():
			told = next.lease
			if c.OnElected != nil {
				c.OnElected(told.term.clone())
			}
		}
	}
}
