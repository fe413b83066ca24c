// Package view has elections and rounds in JSON, as in answers over HTTP and on the command
// line.
package view

import (
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seed-a1d591d3/leadership"
)

// Term is a term in JSON.
type Term struct {
	Leader  string    `json:"leader"`
	Token   uint64    `json:"token,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	TTL     int64     `json:"ttl_ms,omitempty"`
	Payload *string   `json:"payload,omitempty"`
	Base64  []byte    `json:"payload_base64,omitempty"` // where that is no text
	Last    *Ending   `json:"last,omitempty"`
}

// Ending is the end of a term in JSON.
type Ending struct {
	Leader string `json:"leader"`
	Token  uint64 `json:"token"`
	Reason string `json:"reason"`
}

// OfTerm returns a term for JSON.
func OfTerm(t leadership.Term) Term {
	v := Term{Leader: t.Leader, Token: t.Token, Since: t.Since, TTL: t.TTL.Milliseconds()}
	if text := string(t.Payload); text != "" && isText(text) {
		v.Payload = &text
	} else if text != "" {
		v.Base64 = t.Payload
	}
	if t.Last != (leadership.Ending{}) {
		v.Last = &Ending{t.Last.Leader, t.Last.Token, t.Last.Reason}
	}
	return v
}

// Election is the state of an election in JSON.
type Election struct {
	Key string `json:"key"`
	Term
	// Expired means that the leader has not renewed its term in time: it does not lead
	// any more, though its seat has not been taken.
	Expired bool `json:"expired,omitempty"`
	// FreeIn is for how many milliseconds the leader may still lead, if it does not renew
	// its term or session.
	FreeIn int64 `json:"free_in_ms,omitempty"`
	// Beat is another after each renewal. Events do not have it.
	Beat uint64 `json:"beat,string,omitempty"`
	// Session is the key of the session that the term rides on.
	Session string    `json:"session,omitempty"`
	Waiting []Waiting `json:"waiting,omitempty"`
	Asked   *Asked    `json:"asked,omitempty"`
	// Omitted means that an event leaves out the payload, which is long.
	Omitted bool `json:"payload_omitted,omitempty"`
}

// Waiting is a preferred candidate that waits for the seat, in JSON.
type Waiting struct {
	Node     string `json:"node"`
	Priority int    `json:"priority"`
}

// Asked is an operator's request in JSON.
type Asked struct {
	Action leadership.Action `json:"action"`
	To     string            `json:"to,omitempty"`
	Hold   int64             `json:"hold_ms,omitempty"`
	Keep   bool              `json:"keep,omitempty"`
	By     string            `json:"by,omitempty"`
	At     time.Time         `json:"at,omitzero"`
}

// OfElection returns an election for JSON.
func OfElection(s leadership.Standing) Election {
	v := Election{Key: s.Key, Term: OfTerm(s.Term), FreeIn: Ceil(s.Left), Session: s.Session}
	for _, w := range s.Waiting {
		v.Waiting = append(v.Waiting, Waiting(w))
	}
	if a := s.Asked; a.Action != "" {
		v.Asked = &Asked{a.Action, a.To, a.Hold.Milliseconds(), a.Keep, a.By, s.AskedAt}
	}
	return v
}

// Round is a round in JSON.
type Round struct {
	System    string    `json:"system"`
	Round     string    `json:"round"`
	Winner    string    `json:"winner"`
	Anonymous bool      `json:"anonymous,omitempty"`
	Elected   time.Time `json:"elected"`
	Attempt   uint64    `json:"attempt"`
	TTL       int64     `json:"attempt_ttl_ms,omitempty"`
	Failed    time.Time `json:"failed,omitzero"`
	Failure   *string   `json:"failure,omitempty"`
	Failure64 []byte    `json:"failure_base64,omitempty"` // of a failure that is no text
	Completer string    `json:"completer,omitempty"`
	Completed time.Time `json:"completed,omitzero"`
	Result    *string   `json:"result,omitempty"`
	Base64    []byte    `json:"result_base64,omitempty"` // of a result that is no text
}

// OfRound returns a round for JSON.
func OfRound(s leadership.RoundState) Round {
	v := Round{
		System: s.System, Round: s.Round, Winner: s.Winner, Anonymous: s.Anonymous, Elected: s.Elected, Attempt: s.Attempt,
		TTL: s.TTL.Milliseconds(), Failed: s.Failed, Completer: s.Completer, Completed: s.Completed,
	}
	v.Failure, v.Failure64 = Readable(s.Failure)
	v.Result, v.Base64 = Readable(s.Result)
	return v
}

// Readable returns bytes as a text, or as bytes if they are not a text; both are nil if
// there are none.
func Readable(b []byte) (*string, []byte) {
	if len(b) == 0 || !utf8.Valid(b) {
		return nil, b
	}
	s := string(b)
	return &s, nil
}

// isText reports whether a payload can be shown to people.
func isText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) && !unicode.IsSpace(r) {
			return false
		}
	}
	return true
}

// Ceil returns a duration in milliseconds, rounded up.
func Ceil(d time.Duration) int64 { return (d + time.Millisecond - 1).Milliseconds() }
