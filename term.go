package leadership

import (
	"bytes"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
)

// Term is one unbroken time of one leader. The zero value is no term.
type Term struct {
	// Leader is the node name of the leader.
	Leader string

	// Token is the fencing token: every term has a higher one than all terms
	// before it. Whatever must not be done by a leader of the past should
	// carry it, and be refused where a higher one has been seen.
	Token uint64

	// Since is when the term began, by the leader's wall clock.
	Since time.Time

	// TTL is how long the leader's claim stands after a renewal.
	TTL time.Duration

	// Payload is what the leader tells its followers, such as its address.
	Payload []byte

	// Last tells of the term before, where that is known.
	Last Ending
}

// Ending is how a term has ended. The zero value tells nothing.
type Ending struct {
	Leader string
	Token  uint64

	// Reason is why: "resigned", "expired", "evicted", "unhealthy",
	// "relinquished" or "transferred".
	Reason string
}

// same says whether nothing has changed for those who want to know who leads.
func (t Term) same(other Term) bool {
	return t.Leader == other.Leader && t.Token == other.Token && t.Last == other.Last
}

// clone returns t with a payload of its own.
func (t Term) clone() Term {
	t.Payload = bytes.Clone(t.Payload)
	return t
}

// termOf returns the term of a record.
func termOf(r election.Record) Term {
	return Term{Leader: r.Leader, Token: r.Token, Since: r.Since, TTL: r.TTL(), Payload: r.Payload, Last: endingOf(r.Last)}
}

// endingOf returns what users see of how a term has ended; e may be nil.
func endingOf(e *election.Ending) Ending {
	if e == nil {
		return Ending{}
	}
	return Ending{e.Leader, e.Token, string(e.Reason)}
}
