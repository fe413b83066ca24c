package leadership

import (
	"encoding/json"
	"fmt"
	"time"
)

const roundVersion = 1

// roundRecord is what is stored under the key of a round.
type roundRecord struct {
	V         int         `json:"v"`
	Winner    string      `json:"winner"`
	Elected   time.Time   `json:"elected"`
	Completed *completion `json:"completed,omitempty"`
}

// completion is the end of a round.
type completion struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// parseRound reads what is stored under the key of a round. Its errors are
// ErrForeignRecord.
func parseRound(value []byte) (roundRecord, error) {
	var r roundRecord
	err := json.Unmarshal(value, &r)
	switch {
	case err != nil || r.Winner == "" && r.V == roundVersion:
		return roundRecord{}, fmt.Errorf("%w: %d bytes that are no record of a round", ErrForeignRecord, len(value))
	case r.V != roundVersion:
		return roundRecord{}, fmt.Errorf("%w: format version %d, not %d", ErrForeignRecord, r.V, roundVersion)
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
