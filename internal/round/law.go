package round

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
)

// View is what one observer has seen of a round.
type View = election.View[Record]

// Claimant is one who asks for a round.
type Claimant struct {
	Node     string
	Instance string        // what tells one that is anonymous from others
	TTL      time.Duration // of its attempts; 0: for ever
}

// Won reports whether a record is of an attempt of the claimant.
func (c Claimant) Won(r Record) bool { return r.Winner == c.Node && r.Instance == c.Instance }

// ErrLast means that no attempt can follow the one that stands.
var ErrLast = errors.New("no attempt can follow")

// Next returns the record to write for a claimant, by which its attempt begins or is
// renewed, and true; or the record that stands, where another has won or there is
// nothing to change. own is the attempt that the claimant has made last, as far as a write
// tells that was acknowledged, or nil: without it, one that stands is written once more
// (S5). No two marks may be alike: rivals see each change (S2).
func (c Claimant) Next(v View, now clock.Instant, own *Attempt, mark string) (Record, bool, error) {
	next := Record{Winner: c.Node, Instance: c.Instance, Elected: stamp(now.Time()), Millis: c.TTL.Milliseconds()}
	waits := now.Mono < v.Expires() // a rival: the winner may be at work (S2)
	switch {
	case v.Pair != nil && !v.Rec.Held():
		stands := v.Rec
		stands.Mark = mark
		if c.Won(stands) && stands.Completed == nil && own == nil {
			return stands, true, nil
		}
		return v.Rec, false, nil
	case v.Gone().Held() && waits && !own.is(v.Gone(), now):
		if c.Won(v.Gone()) {
			return Record{}, false, nil // its own has vanished, and is over: it is a rival
		}
		return v.Gone(), false, nil // it has vanished, but its winner may be at work
	case v.Gone().Held() && (v.Pair == nil || next.Millis > 0):
		next.Attempt, _ = after(v.Gone()) // what none can follow is gone
	case v.Pair == nil:
	case c.Won(v.Rec):
		next.Attempt, next.Elected = v.Rec.Attempt, v.Rec.Elected
		next.Millis = max(next.Millis, v.Rec.Millis) // another process of its node may work by that
	case next.Millis == 0 || waits:
		return v.Rec, false, nil
	default:
		var ok bool
		if next.Attempt, ok = after(v.Rec); !ok {
			return v.Rec, false, fmt.Errorf("%w number %d: delete the key", ErrLast, v.Rec.Order())
		}
	}
	if next.Millis > 0 {
		next.Attempt, next.Mark = next.Order(), mark
	}
	return next, true, nil
}

// after returns the number of the attempt after that of a record, and whether there is
// one; if not, they begin anew.
func after(r Record) (uint64, bool) {
	if n := r.Order() + 1; n < election.MaxToken {
		return n, true
	}
	return 1, false
}

// Attempt is one that a claimant has made by a write that was acknowledged.
type Attempt struct {
	Number uint64
	Start  clock.Instant // of that write (S1)
	Trust  time.Duration // from Start on; 0: for ever
}

// Begun returns the attempt that begins, or is renewed, by the write of a record that
// began at start and was acknowledged. Its trust ends by that grace early.
func Begun(r Record, start clock.Instant, grace time.Duration) Attempt {
	a := Attempt{Number: r.Order(), Start: start}
	if r.Millis > 0 {
		a.Trust = max(1, r.TTL()-r.TTL()/5-grace)
	}
	return a
}

// is reports whether an attempt is that of a record, and may still be trusted. It may be
// nil.
func (a *Attempt) is(r Record, now clock.Instant) bool {
	return a != nil && a.Number == r.Order() && a.Left(now) > 0
}

// Left returns for how long from now the attempt may be trusted.
func (a Attempt) Left(now clock.Instant) time.Duration {
	if a.Trust == 0 {
		return math.MaxInt64
	}
	return now.Left(a.Trust, a.Start) // S3, S4
}

// Verdict is whether a claimant may finish an attempt, or why not.
type Verdict int

// The verdicts.
const (
	May          Verdict = iota
	Done                 // it has completed the round
	NotElected           // nobody has won
	OtherWon             // another has won
	Superseded           // another attempt has begun
	OtherDone            // another has completed the round
	NumberNeeded         // one that is anonymous has to name the attempt
)

// Finish returns whether a claimant may record how the attempt of that number has
// ended; 0 is whichever it has won.
func (c Claimant) Finish(r Record, number uint64) Verdict {
	by := r.Completer()
	switch {
	case r.Winner == "":
		return NotElected
	case number != 0 && r.Order() != number:
		return Superseded
	case by != "" && by != c.Node:
		return OtherDone
	case by != "":
		return Done
	case r.Winner == c.Node && (c.Instance == "" || c.Instance == r.Instance):
		return May
	case c.Instance == "" || r.Instance == "":
		return OtherWon
	case r.Millis > 0 && number == 0:
		return NumberNeeded
	}
	return May
}

// Complete returns the record of a round that a claimant has completed. One that it
// finds completed is as it was, but for the mark: it may yet be taken back (S5).
func (c Claimant) Complete(r Record, now time.Time, result []byte, mark string) Record {
	if r.Completed != nil {
		r.Mark = mark
		return r
	}
	r.Completed, r.Failed = &Outcome{c.Node, stamp(now), result}, nil
	return r
}

// Fail returns the record of a round at which a claimant has failed. One that is
// completed stays as it is.
func (c Claimant) Fail(r Record, now time.Time, result []byte) Record {
	if r.Completed == nil {
		r.Failed = &Outcome{c.Node, stamp(now), result}
	}
	return r
}

// Older reports whether a record is older than age, by the wall clocks of its winner and
// of the reader.
func (r Record) Older(age time.Duration, now time.Time) bool { return now.Sub(r.latest()) > age }

// MayDelete reports whether a round may be deleted because it is older than age: its
// winner cannot be at work any more.
func MayDelete(v View, age time.Duration, now clock.Instant) bool {
	return v.Pair != nil && v.Rec.Older(age, now.Time()) && !(v.Rec.Held() && now.Mono < v.Expires())
}
