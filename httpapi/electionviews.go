package httpapi

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/view"
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
		return fmt.Errorf("%.40s is neither a duration, such as \"15s\", nor a number of seconds", b)
	}
	*s = span(d)
	return nil
}

// beat is a beat in JSON: a string, because it passes 2^53. Empty means 0.
type beat uint64

// UnmarshalJSON implements json.Unmarshaler.
func (n *beat) UnmarshalJSON(b []byte) error {
	if text := string(b); text == "null" || text == `""` {
		return nil
	}
	number, err := strconv.ParseUint(strings.Trim(string(b), `"`), 10, 64)
	if err != nil || b[0] != '"' {
		return fmt.Errorf("beat is %.40s: must be that of an answer to a claim, unchanged", b)
	}
	*n = beat(number)
	return nil
}

// claimBody is the body of a claim.
type claimBody struct {
	Node     string `json:"node"`
	Instance string `json:"instance"`
	Token    uint64 `json:"token"`
	Beat     beat   `json:"beat"`
	TTL      span   `json:"ttl"`
	Payload  string `json:"payload"`
}

// wonView is the answer to a claimant that leads.
type wonView struct {
	view.Term
	Instance string `json:"instance"`
	Trust    int64  `json:"trust_ms"`
	Beat     uint64 `json:"beat,string"`
}

// lostView is the answer to a claimant that does not.
type lostView struct {
	Error    string            `json:"error"`
	Instance string            `json:"instance,omitempty"`
	Beat     uint64            `json:"beat,string,omitempty"`
	Term     *view.Term        `json:"term,omitempty"`
	Wait     int64             `json:"retry_after_ms,omitempty"`
	Asked    leadership.Action `json:"asked,omitempty"`
}
