package election

import "time"

// Action is what an operator asks of an election.
type Action string

// The actions.
const (
	Resign   Action = "resign"
	Transfer Action = "transfer"
	Pause    Action = "pause"
	Resume   Action = "resume" // takes a request out of the record, and is in none itself
)

// MaxHold is the longest that the others leave a seat to the node that it is transferred to.
const MaxHold = 10 * time.Minute

// Request is what an operator asks for, as a record has it. Methods take nil for no request.
type Request struct {
	Do     Action    `json:"do"`
	To     string    `json:"to,omitempty"`
	Millis int64     `json:"hold,omitempty"`
	Keep   bool      `json:"keep,omitempty"`
	By     string    `json:"by,omitempty"`
	At     time.Time `json:"at,omitzero"` // random below a millisecond, so that no two are the same
}

// Same reports whether both are the same request, by the same operator at the same time.
func (r *Request) Same(b *Request) bool { return r == b || r != nil && b != nil && *r == *b }

// Repeats reports whether r asks for the same as b, no matter who asked and when.
func (r Request) Repeats(b *Request) bool {
	if b == nil {
		return false
	}
	r.By, r.At = b.By, b.At
	return r == *b
}

// Pauses reports whether nobody may take the seat until a Resume.
func (r *Request) Pauses() bool { return r != nil && r.Do == Pause }

// Transfers returns the node that is to have the seat next, and how long the others leave it
// to that node. An empty node means that the request is no transfer.
func (r *Request) Transfers() (to string, hold time.Duration) {
	if r == nil || r.Do != Transfer {
		return "", 0
	}
	return r.To, time.Duration(min(max(r.Millis, 0), MaxHold.Milliseconds())) * time.Millisecond
}

// afterVacancy returns the request that stays in the record when the seat is given up: a
// transfer or a pause. A resignation is done.
func (r *Request) afterVacancy() *Request {
	if r == nil || r.Do == Transfer || r.Do == Pause {
		return r
	}
	return nil
}

// afterRenewal returns the request that stays in the record when a leader of that node
// renews it: all but a transfer to the leader itself, which is done.
func (r *Request) afterRenewal(node string) *Request {
	if to, _ := r.Transfers(); to == node {
		return nil
	}
	return r
}

// ReasonToGo returns why a leader of that node has to give up the seat: Evicted,
// Transferred, or empty if it may stay.
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
