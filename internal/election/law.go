package election

import (
	"time"

	"github.com/seed-a1d591d3/leadership/internal/format"
)

// Claimant is a candidate that holds the seat of an election, or wants it.
type Claimant struct {
	Node     string
	Instance string // random, so that two claimants with one node name are two
	Priority int
	TTL      time.Duration
	Hold     time.Duration // how long it waits for each node of a higher priority that wants a free seat
	Cooldown time.Duration // how long it waits for all others, after it has given up the seat itself
	Payload  []byte

	Format  format.Header // of its records; zero is that of an election
	Session string        // the key of the session that its terms ride on, which can be trusted; or none
}

// Free returns when a claimant may take the seat. A rival has to wait until the holder's
// trust has run out (S2), and then until those have had their chance that come before it:
// the node that the seat is transferred to, or nodes of a higher priority. A claimant whose
// own instance is in the record has nobody to wait for but the holder of a record that is
// gone, unless that rides on an earlier session. The cooldown is added in either case.
func Free(v *View[Record], c *Claimant) time.Duration {
	if c.holds(v.Rec) {
		return v.Vacant() + c.Cooldown
	}
	return v.Expires() + c.holdBack(v.Rec) + c.Cooldown
}

// holds reports whether the record is the claimant's own, and rides on the same session. One that
// rides on another may be that of a copy of the claimant, which has kept the session.
func (c *Claimant) holds(r Record) bool {
	return r.Held() && r.Instance == c.Instance && r.Session == c.Session
}

// holdBack returns how long a claimant leaves a free seat to the node that it is
// transferred to, or to nodes of a higher priority.
func (c *Claimant) holdBack(rec Record) time.Duration {
	if to, hold := rec.Ask.Transfers(); to != "" {
		if to == c.Node {
			return 0
		}
		return hold
	}
	return time.Duration(rec.RivalsAhead(c.Node, c.Priority)) * c.Hold
}

// Evicts reports whether an operator has asked that node to leave the seat, and no other
// node has taken it yet.
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
		Header: c.Format, Session: c.Session,
		Leader: c.Node, Instance: c.Instance,
		Token: token, Millis: c.TTL.Milliseconds(), Beat: beat,
		Since: now.UTC().Truncate(time.Millisecond), Payload: c.Payload,
		Last: last, Waiting: seen.dropAhead(c.Node, c.Priority),
	}
}

// Renewed returns the record as its holder writes it next: with another beat, and with
// what others have added to it, except a request that is done.
func (r Record) Renewed(beat uint64) Record {
	r.Beat, r.Ask = beat, r.Ask.afterRenewal(r.Leader)
	return r
}

// Verdict is what a claimant may do.
type Verdict int

// The verdicts.
const (
	MustWait Verdict = iota // another holds the seat, or comes first
	MayTake
	MustEnd // it may take the seat once it has ended the session of the term that was there (S11)
	MayRenew
	MustLeave    // an operator asks the holder to go: see Request.ReasonToGo
	MustNot      // an operator keeps the seat empty
	CannotFollow // no token can follow that of the record: see Record.Followed
)

// Decide returns what a claimant may do at now, by what was seen; and with MustWait, until
// when it has to wait. holds means that the record is of a term of the claimant's own, and
// that its trust has not run out.
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
	case v.Rec.alive() && !c.holds(v.Rec):
		return MustEnd, free
	}
	return MayTake, free
}
