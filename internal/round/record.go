// Package round has the law of rounds: what is stored, who may begin an attempt, and
// who may finish it. It is pure: instants are handed in.
package round

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/format"
	"github.com/seed-a1d591d3/leadership/store"
)

// Format is that of the record of a round.
var Format = format.Header{V: 1, Kind: "round"}

// Record is what is stored under the key of a round.
type Record struct {
	format.Header
	Winner    string    `json:"winner"`
	Instance  string    `json:"instance,omitempty"` // of a winner that is anonymous
	Elected   time.Time `json:"elected"`
	Attempt   uint64    `json:"attempt,omitempty"` // 0 is the first, which is for ever
	Millis    int64     `json:"ttl,omitempty"`     // of the attempt; 0: for ever
	Mark      string    `json:"bid,omitempty"`     // another in each write of an attempt with a TTL
	Failed    *Outcome  `json:"failed,omitempty"`  // of the attempt, which goes on for all others
	Completed *Outcome  `json:"completed,omitempty"`
}

// Outcome is how an attempt has ended.
type Outcome struct {
	By     string       `json:"by"`
	At     time.Time    `json:"at"`
	Result format.Bytes `json:"result,omitempty"`
}

// Beats returns nil: a round rides on no session.
func (r Record) Beats() *store.KVPair { return nil }

// Stands is the TTL.
func (r Record) Stands() time.Duration { return r.TTL() }

// Outlives is the TTL.
func (r Record) Outlives() time.Duration { return r.TTL() }

// Parse reads what is stored under a key. An error means that it is not the record of a
// round.
func Parse(value []byte) (Record, error) {
	var r Record
	if err := format.Unmarshal(value, &r, Format); err != nil {
		return Record{}, err
	}
	switch {
	case r.Winner == "" || r.Elected.IsZero():
		return Record{}, errors.New("a round without a winner")
	case r.Millis < 0 || r.Millis > election.MaxTTL.Milliseconds():
		return Record{}, fmt.Errorf("ttl %d ms", r.Millis)
	case r.Attempt >= election.MaxToken:
		return Record{}, fmt.Errorf("attempt %d", r.Attempt)
	case r.Millis > 0 && (r.Attempt == 0 || r.Mark == ""):
		return Record{}, errors.New("an attempt with a TTL that is there in part")
	}
	for _, o := range []*Outcome{r.Failed, r.Completed} {
		if o != nil && (o.By == "" || o.At.IsZero()) {
			return Record{}, errors.New("an outcome that is there in part")
		}
	}
	return r, nil
}

// Encode returns what is to be stored.
func (r Record) Encode() ([]byte, error) {
	r.Header = Format
	return format.Marshal(r)
}

// Order returns the number of the attempt, from 1 on.
func (r Record) Order() uint64 { return max(1, r.Attempt) }

// TTL returns how long the attempt stands without being renewed; 0 is for ever.
func (r Record) TTL() time.Duration { return time.Duration(r.Millis) * time.Millisecond }

// Held reports whether the attempt may be superseded, in time: it is neither for ever nor
// completed.
func (r Record) Held() bool { return r.Millis > 0 && r.Completed == nil }

// Completer returns who completed the round, or an empty name.
func (r Record) Completer() string {
	if r.Completed == nil {
		return ""
	}
	return r.Completed.By
}

// latest returns when the record last said something new, by the winner's wall clock.
func (r Record) latest() time.Time {
	at := r.Elected
	for _, o := range []*Outcome{r.Failed, r.Completed} {
		if o != nil && o.At.After(at) {
			at = o.At
		}
	}
	return at
}

// stamp is the time for people to read in a record.
func stamp(now time.Time) time.Time { return now.UTC().Truncate(time.Millisecond) }
