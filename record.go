package leadership

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/seed-a1d591d3/leadership/internal/format"
)

// maxToken is above every token that is accepted. Milliseconds since 1970
// get there in 146 million years.
const maxToken = 1 << 62

// electionFormat is that of the record of an election.
var electionFormat = format.Header{V: 1, Kind: "election"}

// record is what is stored under the key of an election.
type record struct {
	format.Header
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
		return format.Marshal(string(p))
	}
	return format.Marshal(binaryPayload{p})
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
	if err := format.Unmarshal(value, electionFormat, &r); err != nil {
		return record{}, fmt.Errorf("%w: %w", ErrForeignRecord, err)
	}
	switch {
	case r.Token == 0 || r.Token >= maxToken:
		return record{}, fmt.Errorf("%w: token %d", ErrForeignRecord, r.Token)
	case r.Beat >= maxToken:
		return record{}, fmt.Errorf("%w: beat %d", ErrForeignRecord, r.Beat)
	case (r.Leader == "") != (r.Instance == ""):
		return record{}, fmt.Errorf("%w: leader and instance do not go together", ErrForeignRecord)
	case r.held() && (r.TTL < 1 || r.TTL > MaxTTL.Milliseconds()):
		return record{}, fmt.Errorf("%w: ttl %d ms", ErrForeignRecord, r.TTL)
	case r.held() == r.Since.IsZero() || !r.held() && (r.TTL != 0 || r.Payload != nil):
		return record{}, fmt.Errorf("%w: a term that is there in part", ErrForeignRecord)
	}
	return r, nil
}

func (r record) encode() []byte {
	r.Header = electionFormat
	b, err := format.Marshal(r)
	if err != nil {
		// Nothing in a record can fail to encode.
		panic(fmt.Sprintf("leadership: encode record: %v", err))
	}
	return b
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
		Token: r.Token, Beat: beat, Last: &ending{r.Leader, r.Token, why},
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

// nextBeat is the beat of a write that follows one of another beat. It is raised
// at random, by up to 2^32 and by what a copied machine does not repeat: two processes that renew
// one record, be it servers of one holder or two with the same memory, each tell
// their own write from the other's.
func nextBeat(beat uint64) uint64 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	stride := binary.NativeEndian.Uint32(b[:]) ^ uint32(time.Now().UnixNano())
	next := beat + 1 + uint64(stride)
	if next >= maxToken {
		return next - maxToken + 1
	}
	return next
}

// followed returns nil, or why no term can follow that of the record.
func (r record) followed() error {
	if r.Token < maxToken-1 {
		return nil
	}
	return fmt.Errorf("%w: no token can follow %d: delete the key", ErrForeignRecord, r.Token)
}

// nextToken is the token of a term that begins at now, after a highest token. One
// that no token can follow was seen in a record that is gone, and is forgotten.
func nextToken(highest uint64, now time.Time) uint64 {
	if highest >= maxToken-1 {
		highest = 0
	}
	return max(highest+1, uint64(max(now.UnixMilli(), 0)))
}
