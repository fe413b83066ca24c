package leadership

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// Claim is what a claimant asks for.
type Claim struct {
	// Node is what others know the claimant by.
	Node string

	// Instance tells the claimant from all others, and is a secret of its own: a
	// claim that names the instance of the holder renews or resigns its term. It
	// has 16 to 128 bytes. Empty means that one is made. A claimant that makes
	// one by itself, at random, can ask again after an answer that was lost.
	Instance string

	// Token, if it is not 0, has only the term of that token renewed: where it
	// is not the present one, or is over, nothing happens. Instance must then be
	// given.
	Token uint64

	// Beat, if it is not 0, is that of the answer to the claimant's last claim:
	// where the record has been renewed since, another process with the same memory
	// does so, as that of a copy of the machine, and the claim ends with ErrLost. Give
	// it only if that answer has arrived, with no error, and no claim of this term
	// without a Beat is unanswered: that could still arrive, and renew.
	Beat uint64

	// wrote are the beats that this call has tried to write: to find one of them is
	// no sign of another process.
	wrote []uint64

	// TTL is how long the claim stands without being renewed, in whole
	// milliseconds, from MinTTL to MaxTTL; 0 means DefaultTTL. A renewal keeps
	// that of its term, whatever this says.
	TTL time.Duration

	// Payload is what followers are told, of MaxPayload bytes at most. nil
	// leaves a term that is renewed what it has.
	Payload []byte
}

// Claimed is the outcome of a Claim.
type Claimed struct {
	// Won reports whether the claimant leads.
	Won bool

	// Term is that of the claimant if it has won, and otherwise that of the
	// leader. Its Leader is empty where the seat is vacant.
	Term Term

	// Beat is that of the record that stands for a claimant that has won, for its
	// next claim; else 0.
	Beat uint64

	// Instance is that of the claimant, for its next claim. It is told with
	// errors too, once there is one.
	Instance string

	// Trust is how long a claimant that has won may lead: the TTL less the
	// margin and the grace, and less the time that this claim has taken here. It
	// must count from before it asked, by a clock that goes on while its machine
	// is suspended; and it must not take back a term that is over by its own
	// count: what is answered after that came too late, though it says Won.
	Trust time.Duration

	// Wait is how long a claimant that has not won need not ask again, unless the
	// seat is given up meanwhile. One that asks a few times within it finds out
	// sooner that a leader is gone.
	Wait time.Duration
}

// check fills in the defaults of a claim, and returns how long it could be trusted, or
// what is wrong with it.
func (c *Claims) check(ctx context.Context, by *Claim) (time.Duration, error) {
	if err := errors.Join(c.err, checkName("node", by.Node), checkContext(ctx)); err != nil {
		return 0, err
	}
	switch {
	case by.Instance == "" && by.Token != 0:
		return 0, invalid("instance", `""`, "must be given with a token")
	case by.Instance == "":
		by.Instance = rand.Text()
	default:
		if err := checkInstance(by.Instance); err != nil {
			return 0, err
		}
	}
	switch {
	case by.Token != 0:
		by.TTL = MaxTTL // a renewal keeps that of its term
	case by.TTL == 0:
		by.TTL = DefaultTTL
	}
	if len(by.Payload) > MaxPayload {
		return 0, invalid("payload", fmt.Sprintf("%d bytes", len(by.Payload)), "must have at most %d bytes", MaxPayload)
	}
	trust, err := c.trust(by.TTL)
	by.TTL = by.TTL.Truncate(time.Millisecond)
	by.Payload = bytes.Clone(by.Payload) // the caller may change it
	return trust, err
}
