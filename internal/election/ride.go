package election

import (
	"fmt"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// Ride is what was found of the session that a record names. A term that rides on a session
// is not renewed itself: its holder may trust it as long as the session (S11). What an
// observer sees of it is both: it has changed when either has.
type Ride struct {
	Pair *store.KVPair // nil: there is no record
	Rec  Record        // of kind session

	// Left means that the session is the observer's own, and goes on, but that the campaign
	// which the record names has ended, or has another instance. None but those who ride on the
	// session can tell, so one of them has to take the seat. The campaign may yet go on in a
	// copy of this process, and be trusted there, for as long as that can without a renewal.
	Left bool
}

// NameSession returns how a record under key names the session under another key: relative to
// it, as URLs do, because others may see the store below a prefix, or through one of their own.
func NameSession(key, session string) string {
	from, to := strings.Split(key, "/"), strings.Split(session, "/")
	same := 0
	for same < min(len(from), len(to))-1 && from[same] == to[same] {
		same++
	}
	return strings.Repeat("../", len(from)-1-same) + strings.Join(to[same:], "/")
}

// SessionKey returns the key of the session that the record under key names. An error means
// that the key is outside of what this view of the store shows.
func (r Record) SessionKey(key string) (string, error) {
	from, name := strings.Split(key, "/"), r.Session
	from = from[:len(from)-1]
	for strings.HasPrefix(name, "../") {
		if len(from) == 0 {
			return "", fmt.Errorf("session %q is above the prefix that this store is seen through", r.Session)
		}
		from, name = from[:len(from)-1], name[len("../"):]
	}
	if name == "" {
		return "", fmt.Errorf("session %q names no key", r.Session)
	}
	return strings.Join(append(from, name), "/"), nil
}

// Beats returns the pair of the session that the record names: one without an index if it is
// missing, another if that was left, and nil if there is none, or none was read.
func (r Record) Beats() *store.KVPair {
	switch {
	case r.Ride == nil:
		return nil
	case r.Ride.Left:
		return &store.KVPair{Value: []byte("left")}
	case r.Ride.Pair == nil:
		return &store.KVPair{}
	}
	return r.Ride.Pair
}

// alive reports whether the record rides on a session that has to end before the seat can be taken (S11).
func (r Record) alive() bool {
	return r.Session != "" && !r.Ended() && (r.Ride == nil || !r.Ride.Left)
}

// Ended reports whether the session that the record names was seen to have ended. That is
// for good, so the seat can be taken without a wait.
func (r Record) Ended() bool {
	return r.Ride != nil && r.Ride.Pair != nil && !r.Ride.Rec.Held()
}

// unread is longer than anybody waits.
const unread = 100 * MaxTTL

// Stands is how long the record and its session have to stay unchanged before a rival may
// replace the record: the TTL, of the session too, or 0 if that has ended. One who has not read the session
// must not take the record for one that has run out, since it is not renewed itself.
func (r Record) Stands() time.Duration {
	switch {
	case r.Session != "" && r.Ride == nil:
		return unread
	case r.Ended():
		return 0
	case r.Ride != nil:
		return max(r.TTL(), r.Ride.Rec.TTL())
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

// Ride has terms ride on sessions: Trust is for how long one is trusted after each look then.
func (c *Config) Ride() {
	c.Rides = true
	c.Trust *= 2 // see Record.Outlives
}

// once ends the campaign of a session, if that is over: what has ended is never begun again.
// It reports whether it does.
func (m *Machine) once(over bool) bool {
	if !m.cfg.Once || !over {
		return false
	}
	m.stop.begun = true
	return true
}
