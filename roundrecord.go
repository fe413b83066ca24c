package leadership

import (
	"fmt"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/format"
)

// roundFormat is that of the record of a round.
var roundFormat = format.Header{V: 1, Kind: "round"}

// roundRecord is what is stored under the key of a round.
type roundRecord struct {
	format.Header
	Winner    string      `json:"winner"`
	Instance  string      `json:"instance,omitempty"` // of a winner that is anonymous
	Elected   time.Time   `json:"elected"`
	Attempt   uint64      `json:"attempt,omitempty"` // 0 is the first, which is for ever
	TTL       int64       `json:"ttl,omitempty"`     // of the attempt, in milliseconds; 0: for ever
	Bid       string      `json:"bid,omitempty"`     // random, for each write of an attempt with a TTL
	Failed    *completion `json:"failed,omitempty"`  // what came of the attempt, which goes on for all others
	Completed *completion `json:"completed,omitempty"`
}

// completion is what came of a round.
type completion struct {
	By     string       `json:"by"`
	At     time.Time    `json:"at"`
	Result format.Bytes `json:"result,omitempty"`
}

// parseRound reads what is stored under the key of a round. Its errors are
// ErrForeignRecord.
func parseRound(value []byte) (roundRecord, error) {
	var r roundRecord
	if err := format.Unmarshal(value, roundFormat, &r); err != nil {
		return roundRecord{}, fmt.Errorf("%w: %w", ErrForeignRecord, err)
	}
	switch {
	case r.Winner == "" || r.Elected.IsZero():
		return roundRecord{}, fmt.Errorf("%w: a round without a winner", ErrForeignRecord)
	case r.TTL < 0 || r.TTL > MaxTTL.Milliseconds():
		return roundRecord{}, fmt.Errorf("%w: ttl %d ms", ErrForeignRecord, r.TTL)
	case r.Attempt >= election.MaxToken:
		return roundRecord{}, fmt.Errorf("%w: attempt %d", ErrForeignRecord, r.Attempt)
	}
	return r, nil
}

// completer is who completed the round, or empty.
func (r roundRecord) completer() string {
	if r.Completed == nil {
		return ""
	}
	return r.Completed.By
}

// attempt is the number of the attempt, from 1 on.
func (r roundRecord) attempt() uint64 { return max(1, r.Attempt) }

// leased says whether the win is for a time only.
func (r roundRecord) leased() bool { return r.TTL > 0 }

// open says whether the attempt may be superseded, in time.
func (r roundRecord) open() bool { return r.leased() && r.Completed == nil }

func (r roundRecord) ttl() time.Duration { return time.Duration(r.TTL) * time.Millisecond }

// state is the record as users see it.
func (r roundRecord) state(system, round string) RoundState {
	s := RoundState{
		System: system, Round: round, Winner: r.Winner, Anonymous: r.Instance != "",
		Elected: r.Elected, Attempt: r.attempt(), TTL: r.ttl(),
	}
	if r.Failed != nil {
		s.Failed, s.Failure = r.Failed.At, r.Failed.Result
	}
	if r.Completed != nil {
		s.Completer, s.Completed, s.Result = r.Completed.By, r.Completed.At, r.Completed.Result
	}
	return s
}
