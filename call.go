package leadership

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/indexes"
	"github.com/seed-a1d591d3/leadership/internal/register"
	"github.com/seed-a1d591d3/leadership/store"
)

// call is one call of the store under way, in a goroutine of its own: it may
// go on for as long as the store likes, and nobody is held up by it (S6).
type call struct {
	op     string
	start  clock.Instant // read before the call was made (S1)
	until  time.Duration // the deadline on the monotonic clock
	puts   bool          // it is no read
	late   bool          // reported as late
	held   time.Duration // for how long this process was held up meanwhile
	cancel context.CancelFunc
	result chan result // gets exactly one
}

// result is what a call has come to. Records are encoded and decoded by the
// goroutine of the call: it is gone by the next turn, and so is the large stack that
// they need.
type result struct {
	pair  *store.KVPair // nil after a read: there is no record
	err   error
	wrote []byte // what was to be put

	rec     election.Record // that a look found
	foreign error           // why that is none
}

// at is where the record of an election or a round is.
func at(kv store.Store, key string) register.Place {
	return register.Place{Store: kv, Key: key, Package: "leadership"}
}

// newRegister makes the register of a record, for one who waits.
func newRegister(kv store.Store, key string) *register.Register {
	return register.New(register.Config{Place: at(kv, key), Timeout: DefaultCallTimeout, Unsafe: ErrUnsafeStore})
}

// look reads the record of an election.
func look(ctx context.Context, kv store.Store, key string) result {
	pair, err := at(kv, key).Get(ctx)
	return parsed(pair, err)
}

// parsed is the result of a read of the record of an election.
func parsed(pair *store.KVPair, err error) result {
	r := result{pair: pair, err: err}
	if pair != nil {
		r.rec, r.foreign = parse(pair.Value)
	}
	return r
}

// put replaces previous by value. An error says that it may have happened or
// not: not every store tells that apart.
func put(ctx context.Context, kv store.Store, key string, value []byte, previous *store.KVPair) result {
	pair, err := at(kv, key).Put(ctx, value, previous)
	return result{pair: pair, err: err}
}

// unsafeStore says what gave a store away, and what to do (S10).
func unsafeStore(key string, wrote, found *store.KVPair) error {
	return fmt.Errorf("leadership: put %q: %w: %s", key, ErrUnsafeStore, indexes.Explain(wrote, found))
}
