package leadership

import (
	"crypto/rand"
	"time"
)

// RoundOption changes what NewRound makes. An option that is nil changes
// nothing.
type RoundOption func(*roundOptions)

type roundOptions struct {
	timeout  time.Duration
	poll     time.Duration
	ttl      time.Duration // of an attempt; 0: for ever
	number   uint64        // of the attempt to complete; 0: that which was won
	instance string        // what tells an anonymous Round from others
}

// WithCallTimeout sets how long one call of the store is waited for. It must
// be above 0; the default is DefaultCallTimeout.
func WithCallTimeout(d time.Duration) RoundOption {
	return func(o *roundOptions) { o.timeout = d }
}

// WithPollInterval sets how often Await looks at a round of which its watch
// says nothing. It must be above 0; the default is DefaultPollInterval.
func WithPollInterval(d time.Duration) RoundOption {
	return func(o *roundOptions) { o.poll = d }
}

// WithAttemptTTL has a win be for so long only: an attempt. Where the winner has not
// completed the round by then, the next node that asks, and has a TTL too, wins
// the next attempt, and nothing completes the one before any more. d must be
// from MinTTL to MaxTTL; the default, and 0, is that a win is for ever.
//
// The winner may work for d less a fifth, from before it asked: see
// Round.Attempt. When it asks again its time begins anew. A rival may win no sooner
// than d after it has first seen the attempt as it stands, by its own monotonic
// clock: so it has to ask at least twice, from the same Round or the same Rounds, and
// what it saw is forgotten when its process ends.
//
// A winner that asked without a TTL has won for ever, whatever others ask with.
// A node that asks without one wins no attempt but the first.
func WithAttemptTTL(d time.Duration) RoundOption {
	return func(o *roundOptions) { o.ttl = d }
}

// WithAttempt has Complete complete the attempt of that number alone: for a process
// that does not have the Round that won it. The default, and 0, is what this Round has won
// last, or, if it has not, whatever this node has won.
func WithAttempt(number uint64) RoundOption {
	return func(o *roundOptions) { o.number = number }
}

// Anonymous says that node is not the name of one node but, say, the address of a
// client, which may be another's tomorrow. What this Round wins no other Round has won,
// though its node be called the same. Any anonymous Round may complete it: where the attempts have a
// TTL, one that says which (WithAttempt). An anonymous Round completes nothing
// that a node with a name has won. The default is that names are names.
func Anonymous() RoundOption {
	return func(o *roundOptions) { o.instance = rand.Text() }
}
