package election

import "time"

// Claimant is one who holds the seat of an election, or wants it.
type Claimant struct {
	Node     string
	Instance string // tells it from all others
	Priority int
	TTL      time.Duration
	Hold     time.Duration // for how long it leaves a vacant seat to each of a higher priority
	Cooldown time.Duration // how much longer to leave the seat to all others
	Payload  []byte
}

// Free returns when a claimant may take the seat: after the wait of a rival (S2), and the
// time for which it leaves the seat to others that are to have it.
func Free(v *View[Record], c *Claimant) time.Duration {
	if v.Rec.Held() && v.Rec.Instance == c.Instance {
		return v.Vacant() + c.Cooldown
	}
	return v.Expires() + c.holdBack(v.Rec) + c.Cooldown
}

// holdBack returns for how long a seat that could be taken is left to others that are to
// have it: the node that it is transferred to, or those of a higher priority.
func (c *Claimant) holdBack(rec Record) time.Duration {
	if to, hold := rec.Ask.Transfers(); to != "" {
		if to == c.Node {
			return 0
		}
		return hold
	}
	return time.Duration(rec.RivalsAhead(c.Node, c.Priority)) * c.Hold
}

// Evicts reports whether an operator has asked that node to leave the seat to others, and
// none of them has taken it yet.
func (r Record) Evicts(node string) bool {
	if r.Held() {
		return r.Leader == node && r.Ask.ReasonToGo(node) != ""
	}
	to, _ := r.Ask.Transfers()
	return r.Last != nil && r.Last.Leader == node && r.Last.Reason == Evicted && to != node
}

// Take returns the record by which a claimant begins a term of that token.
func (c *Claimant) Take(seen Record, token, beat uint64, last *Ending, now time.Time) Record {
	return Record{
		Leader: c.Node, Instance: c.Instance,
		Token: token, Millis: c.TTL.Milliseconds(), Beat: beat,
		Since: now.UTC().Truncate(time.Millisecond), Payload: c.Payload,
		Last: last, Waiting: seen.dropAhead(c.Node, c.Priority),
	}
}

// Renewed returns the record once more, as its holder renews it: with what others have
// added to it, but for what is done with.
func (r Record) Renewed(beat uint64) Record {
	r.Beat, r.Ask = beat, r.Ask.afterRenewal(r.Leader)
	return r
}

// Verdict is what a claimant may do.
type Verdict int

// The verdicts.
const (
	MustWait Verdict = iota // another holds the seat, or is to have it
	MayTake
	MayRenew
	MustLeave    // an operator asks the holder to go: see Request.ReasonToGo
	MustNot      // an operator keeps the seat empty
	CannotFollow // no token can follow that of the record: see Record.Followed
)

// Decide returns what a claimant may do at now, by what was seen; and, of MustWait, until
// when it has to wait. holds says that the record is of a term that the claimant holds,
// and that has not run out.
func Decide(v *View[Record], c *Claimant, holds bool, now time.Duration) (Verdict, time.Duration) {
	free := Free(v, c)
	switch {
	case holds && v.Rec.Ask.ReasonToGo(c.Node) != "":
		return MustLeave, free
	case holds:
		return MayRenew, free
	case !(v.Rec.Held() && v.Rec.Instance == c.Instance) && v.Rec.Followed() != nil:
		return CannotFollow, free
	case v.Rec.Ask.Pauses():
		return MustNot, free
	case now < free:
		return MustWait, free
	}
	return MayTake, free
}
