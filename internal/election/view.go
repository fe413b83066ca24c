package election

import (
	"bytes"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/indexes"
	"github.com/seed-a1d591d3/leadership/store"
)

// Claim is what a View has to know of a record: that of an election, or of a round.
type Claim interface {
	// Held reports whether somebody may act by the record, as long as it has not run
	// out.
	Held() bool
	// Order rises with each term, or attempt.
	Order() uint64
	// TTL is how long the record stands without being renewed.
	TTL() time.Duration
}

// View is what one observer has seen of a record, and since when. It knows nothing of
// who observes. The zero value has seen nothing. Times are readings of the observer's
// own monotonic clock, taken after the reply that showed the record (S2).
type View[R Claim] struct {
	Known bool
	Pair  *store.KVPair // nil: there is no record
	Rec   R
	Seen  time.Duration // when exactly this record was first seen
	High  uint64        // the highest order seen that another can follow

	gone  *R            // see Gone
	guard time.Duration // until when a record that is gone may still be trusted
}

// See takes note of what was found at now, nil for no record. It reports whether that
// is a change.
func (v *View[R]) See(pair *store.KVPair, rec R, now time.Duration) bool {
	if v.Known && indexes.Same(v.Pair, pair) {
		return false
	}
	if !v.Known {
		v.guard = now
	}
	if v.Rec.Held() && (pair == nil || rec.Order() < v.Rec.Order()) {
		// The record has vanished, or an older one is back. Its holder may have
		// renewed it, unseen, until just now.
		v.guard = max(v.guard, now+v.Rec.TTL())
		if v.Rec.Order() >= v.Gone().Order() {
			gone := v.Rec
			v.gone = &gone
		}
	}
	if pair != nil && rec.Order() >= v.Gone().Order() {
		v.gone = nil
	}
	v.Known, v.Pair, v.Rec, v.Seen = true, pair, rec, now
	if v.High >= MaxToken-1 && rec.Order() > 0 {
		v.High = 0 // nothing can follow it, and it was in a record that is gone
	}
	v.High = max(v.High, rec.Order())
	return true
}

// Gone returns the latest record that was held when it vanished, until one that does not
// come before it is seen; the zero record if there is none.
func (v *View[R]) Gone() R {
	if v.gone == nil {
		var none R
		return none
	}
	return *v.gone
}

// Differs reports whether a hint shows another record than the one that was seen, nil for
// none. Hints are compared by their values: not every watch tells indexes.
func (v *View[R]) Differs(hint *store.KVPair) bool {
	switch {
	case !v.Known:
		return false
	case hint == nil || v.Pair == nil:
		return hint != v.Pair
	}
	return !bytes.Equal(hint.Value, v.Pair.Value)
}

// Expires returns when a rival may act though the record stays as it is (S2): by then
// its holder, or that of a record that is gone, cannot trust it any more.
func (v *View[R]) Expires() time.Duration {
	if v.Rec.Held() {
		return max(v.Seen+v.Rec.TTL(), v.guard)
	}
	return v.Vacant()
}

// Vacant returns when its own holder, or anybody where it is not held, may act: not
// before the holder of a record that is gone has lost its trust.
func (v *View[R]) Vacant() time.Duration { return max(v.Seen, v.guard) }

// Left returns for how long from now somebody may act by the record, or by one that is
// gone; 0 if nobody can.
func (v *View[R]) Left(now time.Duration) time.Duration { return max(0, v.Expires()-now) }
