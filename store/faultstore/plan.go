package faultstore

import (
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// Op names a method of store.Store.
type Op string

// The calls into which faults can be injected.
const (
	OpGet          Op = "get"
	OpAtomicPut    Op = "atomic put"
	OpAtomicDelete Op = "atomic delete"
	OpList         Op = "list"
	OpWatch        Op = "watch"
)

// Call is one call that the client makes.
type Call struct {
	Op   Op
	Key  string   // the directory, for OpList
	Keys []string // all keys of a GetMany, which is an OpGet of the first one; otherwise nil
	Seq  int      // counts the store's calls of this Op, from 1
}

// Fault is what happens to one call. The zero value is no fault. A call waits
// for Before, takes effect in the store beneath, waits for After, and returns.
type Fault struct {
	// Before delays the call on its way to the store.
	Before time.Duration

	// After delays the reply: a write has happened already.
	After time.Duration

	// Err makes the call fail without any effect. With errors.Is the client's error
	// matches both Err and ErrInjected. Use ErrInjected if the error does not matter.
	Err error

	// LoseReply makes the call take effect and then fail, with Err, or with
	// ErrInjected when Err is nil.
	LoseReply bool

	// IgnoreContext keeps the call going after its context has ended, through
	// its delays and partitions: it takes effect late, and returns later
	// still. A watch goes on until it is killed or the Store is closed.
	IgnoreContext bool

	// Mute keeps a watch open without carrying anything. OpWatch only.
	Mute bool

	// Lag delays everything that a watch delivers. OpWatch only.
	Lag time.Duration

	// Life ends a watch this long after it began; 0 means that it does not end. OpWatch
	// only.
	Life time.Duration
}

// Plan returns what happens to a call. It is called once for each call, when the call
// begins, in the goroutine of the caller, so it must be safe for concurrent use. If a
// test is to be repeatable, the result should depend only on the Call.
type Plan func(Call) Fault

// Always returns a plan with the same fault for each call of these ops, or of all ops if
// none is given.
func Always(fault Fault, ops ...Op) Plan {
	return func(c Call) Fault {
		for _, op := range ops {
			if op == c.Op {
				return fault
			}
		}
		if len(ops) == 0 {
			return fault
		}
		return Fault{}
	}
}

// Rates are the probabilities of Random's faults, each from 0 (never) to 1
// (always). The faults are drawn independently of each other. The zero value
// injects nothing.
type Rates struct {
	Fail          float64 // the call has no effect and fails; a watch does not start
	LoseReply     float64 // the call takes effect and fails
	Before        float64 // the call is delayed, up to MaxDelay
	After         float64 // the reply is delayed, up to MaxDelay
	IgnoreContext float64 // the call outlives its context; not for OpWatch

	Mute float64 // a watch is silent
	Lag  float64 // a watch delivers late, up to MaxDelay
	Die  float64 // a watch ends by itself, within MaxLife

	MaxDelay time.Duration // of one delay; 0 means no delays
	MaxLife  time.Duration // of a watch that dies; 0 means that none does
}

// Random returns a plan of random faults. The fault of a call depends only on seed and
// the Call, so a seed can be repeated, however goroutines interleave; and raising one
// rate only adds faults of that kind. Give each client another seed.
func Random(seed uint64, r Rates) Plan {
	return func(c Call) Fault {
		rng := rand.New(source(seed, c))
		// Draw all numbers, always in this order, so that no decision affects another.
		hit := func(rate float64) bool { return rng.Float64() < rate }
		upTo := func(rate float64, limit time.Duration) time.Duration {
			strikes, share := hit(rate), rng.Float64()
			if !strikes {
				return 0
			}
			return time.Duration((1 - share) * float64(limit)) // never quite 0
		}

		var f Fault
		if hit(r.Fail) {
			f.Err = ErrInjected
		}
		f.LoseReply = hit(r.LoseReply) && f.Err == nil
		f.IgnoreContext = hit(r.IgnoreContext) && c.Op != OpWatch
		f.Before = upTo(r.Before, r.MaxDelay)
		f.After = upTo(r.After, r.MaxDelay)
		if c.Op == OpWatch {
			f.Mute = hit(r.Mute)
			f.Lag = upTo(r.Lag, r.MaxDelay)
			f.Life = upTo(r.Die, r.MaxLife)
		}
		return f
	}
}

// source spreads seed and call over the whole state of a generator.
func source(seed uint64, c Call) rand.Source {
	name := fnv.New64a()
	name.Write([]byte(c.Op))
	name.Write([]byte{0})
	name.Write([]byte(c.Key))
	var key [32]byte
	binary.LittleEndian.PutUint64(key[0:], seed)
	binary.LittleEndian.PutUint64(key[8:], uint64(c.Seq))
	binary.LittleEndian.PutUint64(key[16:], name.Sum64())
	return rand.NewChaCha8(key)
}
