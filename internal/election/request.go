package election

import "time"

// Action is what an operator asks of an election.
type Action string

// The actions.
const (
	Resign   Action = "resign"
	Transfer Action = "transfer"
	Pause    Action = "pause"
	Resume   Action = "resume" // stands in no record
)

// MaxHold is the longest that a seat is held for the node that it is transferred to.
const MaxHold = 10 * time.Minute

// Request is what an operator asks, in a record. The methods take nil for none.
type Request struct {
	Do     Action    `json:"do"`
	To     string    `json:"to,omitempty"`
	Millis int64     `json:"hold,omitempty"`
	Keep   bool      `json:"keep,omitempty"`
	By     string    `json:"by,omitempty"`
	At     time.Time `json:"at,omitzero"`
}

// Same reports whether both are one request.
func (r *Request) Same(b *Request) bool { return r == b || r != nil && b != nil && *r == *b }

// Repeats reports whether b asks for the same as r, no matter who asked and when.
func (r Request) Repeats(b *Request) bool {
	if b == nil {
		return false
	}
	r.By, r.At = b.By, b.At
	return r == *b
}

// Pauses reports whether nobody may take the seat.
func (r *Request) Pauses() bool { return r != nil && r.Do == Pause }

// Transfers returns the node that the seat is for, and for how long; an empty node
// for none.
func (r *Request) Transfers() (to string, hold time.Duration) {
	if r == nil || r.Do != Transfer {
		return "", 0
	}
	return r.To, time.Duration(min(max(r.Millis, 0), MaxHold.Milliseconds())) * time.Millisecond
}

// afterVacancy returns what stays of a request once the seat was given up: a
// resignation is done with.
func (r *Request) afterVacancy() *Request {
	if r == nil || r.Do == Transfer || r.Do == Pause {
		return r
	}
	return nil
}

// afterRenewal returns what stays of a request in the record that a leader of that node
// renews: what it has yet to obey, or a pause. A transfer to the leader itself is done
// with.
func (r *Request) afterRenewal(node string) *Request {
	if to, _ := r.Transfers(); to == node {
		return nil
	}
	return r
}

// ReasonToGo returns why a leader of that node is to go: Evicted, Transferred, or
// empty if it may stay.
func (r *Request) ReasonToGo(node string) Reason {
	if r == nil {
		return ""
	}
	switch to, _ := r.Transfers(); {
	case r.Do == Resign, r.Do == Pause && !r.Keep:
		return Evicted
	case to != "" && to != node:
		return Transferred
	}
	return ""
}
