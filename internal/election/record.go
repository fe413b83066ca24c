package election

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/format"
)

// MaxToken is above every token and beat that is accepted. Milliseconds since 1970
// get there in 146 million years.
const MaxToken = 1 << 62

// MaxTTL is the longest TTL of a record that is accepted.
const MaxTTL = 365 * 24 * time.Hour

// The formats of records.
var (
	Format   = format.Header{V: 1, Kind: "election"}
	Riding   = format.Header{V: 2, Kind: "election"} // of a term that rides on a session
	Sessions = format.Header{V: 1, Kind: "session"}
)

// Record is what is stored under the key of an election, or of a session: that is an
// election in which one candidate stands, once.
type Record struct {
	format.Header
	Leader   string       `json:"leader"`
	Instance string       `json:"instance,omitempty"`
	Token    uint64       `json:"token"`
	Millis   int64        `json:"ttl,omitempty"`
	Session  string       `json:"session,omitempty"` // the key of the session that the term rides on
	Beat     uint64       `json:"beat"`
	Since    time.Time    `json:"since,omitzero"`
	Payload  format.Bytes `json:"payload,omitempty"`
	Last     *Ending      `json:"last,omitempty"`
	Waiting  []Waiter     `json:"waiting,omitempty"`
	Ask      *Request     `json:"ask,omitempty"`

	// Ride is what was found of the session. A reader that has not looked has none.
	Ride *Ride `json:"-"`
}

// Ending is how a term has ended.
type Ending struct {
	Leader string `json:"leader"`
	Token  uint64 `json:"token"`
	Reason Reason `json:"reason"`
}

// Reason is why a term has ended, as a record tells it.
type Reason string

// The reasons.
const (
	Resigned     Reason = "resigned"
	Expired      Reason = "expired"
	Evicted      Reason = "evicted"
	Unhealthy    Reason = "unhealthy"
	Relinquished Reason = "relinquished"
	Transferred  Reason = "transferred"
)

// Parse reads what is stored under a key. An error means that it is not the record of
// an election.
func Parse(value []byte) (Record, error) { return parse(value, Format, Riding) }

// ParseSession reads what is stored under the key of a session. An error means that it is
// not the record of one.
func ParseSession(value []byte) (Record, error) { return parse(value, Sessions) }

func parse(value []byte, formats ...format.Header) (Record, error) {
	var r Record
	if err := format.Unmarshal(value, &r, formats...); err != nil {
		return Record{}, err
	}
	switch {
	case (r.Header == Riding) != (r.Session != ""):
		return Record{}, errors.New("format and session do not go together")
	case r.Token == 0 || r.Token >= MaxToken:
		return Record{}, fmt.Errorf("token %d", r.Token)
	case r.Beat >= MaxToken:
		return Record{}, fmt.Errorf("beat %d", r.Beat)
	case (r.Leader == "") != (r.Instance == ""):
		return Record{}, errors.New("leader and instance do not go together")
	case r.Held() && (r.Millis < 1 || r.Millis > MaxTTL.Milliseconds()):
		return Record{}, fmt.Errorf("ttl %d ms", r.Millis)
	case r.Held() == r.Since.IsZero() || !r.Held() && (r.Millis != 0 || r.Payload != nil || r.Session != ""):
		return Record{}, errors.New("a term that is there in part")
	}
	return r, nil
}

// Encode returns what is to be stored.
func (r Record) Encode() []byte {
	switch {
	case r.Kind == Sessions.Kind:
	case r.Session != "":
		r.Header = Riding
	default:
		r.Header = Format
	}
	b, err := format.Marshal(r)
	if err != nil {
		// Nothing in a record can fail to encode.
		panic(fmt.Sprintf("election: encode record: %v", err))
	}
	return b
}

// Held reports whether the record is of a term, rather than of a vacant seat.
func (r Record) Held() bool { return r.Instance != "" }

// Order is that in which terms follow each other.
func (r Record) Order() uint64 { return r.Token }

// TTL is how long the record stands without being renewed.
func (r Record) TTL() time.Duration { return time.Duration(r.Millis) * time.Millisecond }

// Vacated returns the record after its holder has given the seat up.
func (r Record) Vacated(beat uint64, reason Reason) Record {
	return Record{
		Header: r.Header, Token: r.Token, Beat: beat, Last: &Ending{r.Leader, r.Token, reason},
		Waiting: r.Waiting, Ask: r.Ask.afterVacancy(),
	}
}

// LastEnding returns how the last term ended, for a term that follows r; nil if there was
// none.
func (r Record) LastEnding() *Ending {
	if r.Held() {
		return &Ending{r.Leader, r.Token, Expired}
	}
	return r.Last
}

// Followed returns nil, or why no term can follow that of the record.
func (r Record) Followed() error {
	if r.Token < MaxToken-1 {
		return nil
	}
	return fmt.Errorf("no token can follow %d: delete the key", r.Token)
}

// NextBeat returns the beat of a write that follows one of that beat. stride is random,
// and what a copied machine does not repeat: two processes that renew one record, be
// they servers of one holder or two with the same memory, each tell their own write
// from the other's.
func NextBeat(beat uint64, stride uint32) uint64 {
	next := beat + 1 + uint64(stride)
	if next >= MaxToken {
		return next - MaxToken + 1
	}
	return next
}

// NextToken returns the token of a term that begins at now, after a highest token. One
// that no token can follow was seen in a record that is gone, and is forgotten.
func NextToken(highest uint64, now time.Time) uint64 {
	if highest >= MaxToken-1 {
		highest = 0
	}
	return max(highest+1, uint64(max(now.UnixMilli(), 0)))
}
