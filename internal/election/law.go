package election

import "time"

// Claimant is one who holds the seat of an election, or wants it.
type Claimant struct {
	Node     string
	Instance string // tells it from all others
	Priority int
	TTL      time.Duration
	Hold     time.Duration // for how long it leaves a vacant seat to each of a higher priority
	Payload  []byte
}

// Free returns when a claimant may take the seat: the wait of a rival (S2), and the
// time for which it leaves the seat to others that are to have it.
func Free(v *View[Record], c *Claimant) time.Duration {
	if v.Rec.Instance == c.Instance {
		return v.Vacant()
	}
	at := v.Seen + c.holdBack(v.Rec)
	if v.Rec.Held() {
		at += v.Rec.TTL()
	}
	return max(at, v.guard)
}

// holdBack returns for how long a seat that could be taken is left to others that are to
// have it: the node that it is transferred to, or those of a higher priority.
func (c *Claimant) holdBack(rec Record) time.Duration {
	if to, hold := rec.Ask.Transfers(); to != "" {
		if to == c.Node {
			return 0
		}
		return hold
	}
	return time.Duration(rec.RivalsAhead(c.Node, c.Priority)) * c.Hold
}

// Take returns the record by which a claimant begins a term of that token.
func (c *Claimant) Take(seen Record, token, beat uint64, last *Ending, now time.Time) Record {
	return Record{
		Leader: c.Node, Instance: c.Instance,
		Token: token, Millis: c.TTL.Milliseconds(), Beat: beat,
		Since: now.UTC().Truncate(time.Millisecond), Payload: c.Payload,
		Last: last, Waiting: seen.DropAhead(c.Node, c.Priority),
	}
}

// Renewed returns the record once more, as its holder renews it: with what others have
// added to it, but for what is done with.
func (r Record) Renewed(beat uint64) Record {
	r.Beat, r.Ask = beat, r.Ask.AfterRenewal(r.Leader)
	return r
}
