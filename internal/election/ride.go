package election

import (
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// Ride is what was found of the session that a record names. A term that rides on a session
// is not renewed itself: its holder may trust it as long as the session (S11). What an
// observer sees of it is both: it has changed when either has.
type Ride struct {
	Pair *store.KVPair // nil: there is no record
	Rec  Record        // of kind session
}

// Beats returns the pair of the session that the record names, nil for none.
func (r Record) Beats() *store.KVPair {
	if r.Ride == nil {
		return nil
	}
	return r.Ride.Pair
}

// Ended reports whether the session that the record names was seen to have ended. That is
// for good, so the seat can be taken without a wait.
func (r Record) Ended() bool {
	return r.Ride != nil && r.Ride.Pair != nil && !r.Ride.Rec.Held()
}

// Stands is how long the record and its session have to stay unchanged before a rival may
// replace the record: the TTL, or 0 if the session has ended. One who has not read the session
// must not take the record for one that has run out, since it is not renewed itself.
func (r Record) Stands() time.Duration {
	switch {
	case r.Session != "" && r.Ride == nil:
		return MaxTTL
	case r.Ended():
		return 0
	}
	return r.TTL()
}

// Outlives is for how long a holder may trust the record after it is gone: for the TTL, or,
// as it looks whether the record of a term that rides is there, for two.
func (r Record) Outlives() time.Duration {
	if r.Session != "" {
		return 2 * r.TTL()
	}
	return r.TTL()
}

// EndSession returns the record by which a rival ends the session that the record names.
func (r Record) EndSession(beat uint64) Record {
	if r.Ride != nil && r.Ride.Pair != nil {
		return r.Ride.Rec.Vacated(beat, Expired)
	}
	return Record{Header: Sessions, Token: 1, Beat: beat, Last: &Ending{r.Leader, 1, Expired}}
}
