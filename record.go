package leadership

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

const (
	recordVersion = 1

	// maxToken is above every token that is accepted. Milliseconds since 1970
	// get there in 146 million years.
	maxToken = 1 << 62
)

// record is what is stored under the key of an election.
type record struct {
	V        int       `json:"v"`
	Leader   string    `json:"leader"`
	Instance string    `json:"instance,omitempty"`
	Token    uint64    `json:"token"`
	TTL      int64     `json:"ttl,omitempty"` // in milliseconds
	Beat     uint64    `json:"beat"`
	Since    time.Time `json:"since,omitzero"`
	Payload  payload   `json:"payload,omitempty"`
	Last     *ending   `json:"last,omitempty"`
	Waiting  []waiter  `json:"waiting,omitempty"`
	Ask      *ask      `json:"ask,omitempty"`
}

// ending is how the term before ended.
type ending struct {
	Leader string `json:"leader"`
	Token  uint64 `json:"token"`
	Reason reason `json:"reason"`
}

type reason string

const (
	reasonResigned     reason = "resigned"
	reasonExpired      reason = "expired"
	reasonEvicted      reason = "evicted"
	reasonUnhealthy    reason = "unhealthy"
	reasonRelinquished reason = "relinquished"
	reasonTransferred  reason = "transferred"
)

// reasonOf is what a record says of a term that ended by choice because of why.
func reasonOf(why error) reason {
	switch {
	case errors.Is(why, ErrEvicted):
		return reasonEvicted
	case errors.Is(why, ErrUnhealthy):
		return reasonUnhealthy
	case errors.Is(why, ErrRelinquished):
		return reasonRelinquished
	case errors.Is(why, ErrTransferred):
		return reasonTransferred
	}
	return reasonResigned
}

// payload is a JSON string where it can be, so that people can read it, and
// otherwise an object with the bytes in base64.
type payload []byte

type binaryPayload struct {
	Base64 []byte `json:"base64"`
}

// MarshalJSON implements json.Marshaler.
func (p payload) MarshalJSON() ([]byte, error) {
	if utf8.Valid(p) {
		return marshal(string(p))
	}
	return marshal(binaryPayload{p})
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *payload) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte("{")) {
		var bin binaryPayload
		err := json.Unmarshal(b, &bin)
		*p = bin.Base64
		return err
	}
	var s string
	err := json.Unmarshal(b, &s)
	*p = payload(s)
	return err
}

// parseRecord reads what is stored under a key. Its errors are ErrForeignRecord.
func parseRecord(value []byte) (record, error) {
	var r record
	if err := json.Unmarshal(value, &r); err != nil {
		return record{}, fmt.Errorf("%w: %d bytes that are no election record", ErrForeignRecord, len(value))
	}
	switch {
	case r.V != recordVersion:
		return record{}, fmt.Errorf("%w: format version %d, not %d", ErrForeignRecord, r.V, recordVersion)
	case r.Token == 0 || r.Token >= maxToken:
		return record{}, fmt.Errorf("%w: token %d", ErrForeignRecord, r.Token)
	case (r.Leader == "") != (r.Instance == ""):
		return record{}, fmt.Errorf("%w: leader and instance do not go together", ErrForeignRecord)
	case r.held() && (r.TTL < 1 || r.TTL > MaxTTL.Milliseconds()):
		return record{}, fmt.Errorf("%w: ttl %d ms", ErrForeignRecord, r.TTL)
	}
	return r, nil
}

func (r record) encode() []byte {
	b, err := marshal(r)
	if err != nil {
		// Nothing in a record can fail to encode.
		panic(fmt.Sprintf("leadership: encode record: %v", err))
	}
	return b
}

// marshal is json.Marshal without the escapes for HTML, for people to read.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// held says whether somebody sits on the seat.
func (r record) held() bool { return r.Instance != "" }

func (r record) ttl() time.Duration { return time.Duration(r.TTL) * time.Millisecond }

func (r record) term() Term {
	return Term{Leader: r.Leader, Token: r.Token, Since: r.Since, TTL: r.ttl(), Payload: r.Payload, Last: r.Last.public()}
}

// public returns what users see of it; e may be nil.
func (e *ending) public() Ending {
	if e == nil {
		return Ending{}
	}
	return Ending{e.Leader, e.Token, string(e.Reason)}
}

// vacated is the record after its holder has given the seat up.
func (r record) vacated(beat uint64, why reason) record {
	return record{
		V: recordVersion, Token: r.Token, Beat: beat, Last: &ending{r.Leader, r.Token, why},
		Waiting: r.Waiting, Ask: r.Ask.left(),
	}
}

// ended is how the last term ended, for whoever begins a new one after r.
func (r record) ended() *ending {
	if r.held() {
		return &ending{r.Leader, r.Token, reasonExpired}
	}
	return r.Last
}

// nextToken is the token of a term that begins at now, after a highest token.
func nextToken(highest uint64, now time.Time) uint64 {
	return max(highest+1, uint64(max(now.UnixMilli(), 0)))
}
