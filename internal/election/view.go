package election

import (
	"bytes"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/indexes"
	"github.com/seed-a1d591d3/leadership/store"
)

// Claim is a record of an election, or of a round, as a View uses it.
type Claim interface {
	// Held reports whether the record names a holder, who may act until it has run out.
	Held() bool
	// Order is the number of the term, or attempt. It rises with each.
	Order() uint64
	// TTL is how long the record has to stay unchanged before a rival may replace it.
	TTL() time.Duration
	// Beats is the pair of the session that the record names, if it was read.
	Beats() *store.KVPair
	// Stands is how long the record and that pair have to stay unchanged before a rival may
	// replace the record: 0 if the session has ended.
	Stands() time.Duration
	// Outlives is for how long the holder may trust the record after it is gone.
	Outlives() time.Duration
}

// View is what one observer has seen of a record, and since when. It knows nothing of
// who observes. The zero value has seen nothing. Times are readings of the observer's
// own monotonic clock, taken after the reply that showed the record (S2).
type View[R Claim] struct {
	Known bool
	Pair  *store.KVPair // nil: there is no record
	Rec   R
	Seen  time.Duration // when exactly this record was first seen
	High  uint64        // the highest order seen; one that none can follow is forgotten with its record

	gone  *R            // see Gone
	guard time.Duration // until when the holder of a record that is gone may still trust it
}

// See takes note of what was found at now, nil for no record. It reports whether that
// is a change.
func (v *View[R]) See(pair *store.KVPair, rec R, now time.Duration) bool {
	if v.Known && indexes.Same(v.Pair, pair) && indexes.Same(v.Rec.Beats(), rec.Beats()) {
		return false
	}
	if !v.Known {
		v.guard = now
	}
	if v.Rec.Held() && (pair == nil || rec.Order() < v.Rec.Order()) {
		// The record has vanished, or an older one is back. Its holder may have renewed
		// it just before, unseen: that renewal is trusted for a TTL.
		v.guard = max(v.guard, now+v.Rec.Outlives())
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

// Gone returns the record that vanished, or was replaced by an older one, while it was held:
// of several the one of the highest order. It is forgotten once a record of that order, or a
// higher one, is seen. The zero record means none.
func (v *View[R]) Gone() R {
	if v.gone == nil {
		var none R
		return none
	}
	return *v.gone
}

// Differs reports whether a hint, nil for no record, shows another record than the one that
// was seen. It compares values, because not every watch tells indexes.
func (v *View[R]) Differs(hint *store.KVPair) bool {
	switch {
	case !v.Known:
		return false
	case hint == nil || v.Pair == nil:
		return hint != v.Pair
	}
	return !bytes.Equal(hint.Value, v.Pair.Value)
}

// Expires returns when a rival may replace the record, if it stays as it is (S2). By then
// neither its holder nor that of a record that is gone trusts it any more.
func (v *View[R]) Expires() time.Duration {
	if stands := v.Rec.Stands(); v.Rec.Held() && stands > 0 {
		return max(v.Seen+stands, v.guard)
	}
	return v.Vacant()
}

// Vacant returns when a record that nobody holds, or that is the claimant's own, may be
// replaced: at once, or when the holder of a record that is gone trusts it no more.
func (v *View[R]) Vacant() time.Duration { return max(v.Seen, v.guard) }

// Left returns how long from now a rival has to wait: for Expires, or 0 if that has passed.
func (v *View[R]) Left(now time.Duration) time.Duration { return max(0, v.Expires()-now) }
