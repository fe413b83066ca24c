package httpapi

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seed-a1d591d3/leadership"
)

// span is a duration in JSON: "1.5s", or a number of seconds.
type span time.Duration

// UnmarshalJSON implements json.Unmarshaler.
func (s *span) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	var text string
	if json.Unmarshal(b, &text) != nil {
		text = string(b) + "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%.40s is no duration, such as \"15s\", and no number of seconds", b)
	}
	*s = span(d)
	return nil
}

// termView is a term in JSON.
type termView struct {
	Leader  string      `json:"leader"`
	Token   uint64      `json:"token,omitempty"`
	Since   time.Time   `json:"since,omitzero"`
	TTL     int64       `json:"ttl_ms,omitempty"`
	Payload *string     `json:"payload,omitempty"`
	Base64  []byte      `json:"payload_base64,omitempty"` // where that is no text
	Last    *endingView `json:"last,omitempty"`
}

// endingView is how a term has ended, in JSON.
type endingView struct {
	Leader string `json:"leader"`
	Token  uint64 `json:"token"`
	Reason string `json:"reason"`
}

func viewTerm(t leadership.Term) termView {
	v := termView{Leader: t.Leader, Token: t.Token, Since: t.Since, TTL: t.TTL.Milliseconds()}
	if text := string(t.Payload); text != "" && isText(text) {
		v.Payload = &text
	} else if text != "" {
		v.Base64 = t.Payload
	}
	if t.Last != (leadership.Ending{}) {
		v.Last = &endingView{t.Last.Leader, t.Last.Token, t.Last.Reason}
	}
	return v
}

// electionView is how an election stands, in JSON.
type electionView struct {
	Key string `json:"key"`
	termView
	// Expired says that the leader has not renewed its term in time: it does
	// not lead any more, though nobody has taken its seat.
	Expired bool `json:"expired,omitempty"`
	// FreeIn is for how long the leader may lead yet, if it does not renew its
	// term.
	FreeIn  int64         `json:"free_in_ms,omitempty"`
	Waiting []waitingView `json:"waiting,omitempty"`
	Asked   *askedView    `json:"asked,omitempty"`
	// Omitted says that an event does not tell the payload, which is long.
	Omitted bool `json:"payload_omitted,omitempty"`
}

type waitingView struct {
	Node     string `json:"node"`
	Priority int    `json:"priority"`
}

// askedView is what an operator asks of an election, in JSON.
type askedView struct {
	Action leadership.Action `json:"action"`
	To     string            `json:"to,omitempty"`
	Hold   int64             `json:"hold_ms,omitempty"`
	Keep   bool              `json:"keep,omitempty"`
	By     string            `json:"by,omitempty"`
	At     time.Time         `json:"at,omitzero"`
}

func viewElection(s leadership.Standing) electionView {
	v := electionView{Key: s.Key, termView: viewTerm(s.Term), FreeIn: ceil(s.Left)}
	for _, w := range s.Waiting {
		v.Waiting = append(v.Waiting, waitingView{w.Node, w.Priority})
	}
	if a := s.Asked; a.Action != "" {
		v.Asked = &askedView{a.Action, a.To, a.Hold.Milliseconds(), a.Keep, a.By, s.AskedAt}
	}
	return v
}

// ceil is a duration in milliseconds, rounded up.
func ceil(d time.Duration) int64 { return (d + time.Millisecond - 1).Milliseconds() }

// claimBody is what a claim says.
type claimBody struct {
	Node     string `json:"node"`
	Instance string `json:"instance"`
	Token    uint64 `json:"token"`
	TTL      span   `json:"ttl"`
	Payload  string `json:"payload"`
}

// wonView is the answer to one who leads.
type wonView struct {
	termView
	Instance string `json:"instance"`
	Trust    int64  `json:"trust_ms"`
}

// lostView is the answer to one who does not.
type lostView struct {
	Error    string            `json:"error"`
	Instance string            `json:"instance,omitempty"`
	Term     *termView         `json:"term,omitempty"`
	Wait     int64             `json:"retry_after_ms,omitempty"`
	Asked    leadership.Action `json:"asked,omitempty"`
}

// isText says whether a payload can be shown to people.
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
