package leadership

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/indexes"
	"github.com/seed-a1d591d3/leadership/internal/register"
	"github.com/seed-a1d591d3/leadership/store"
)

// result is what a call has come to. Records are encoded and decoded by the
// goroutine of the call: it is gone by the next turn, and so is the large stack that
// they need.
type result struct {
	pair  *store.KVPair // nil after a read: there is no record
	err   error
	wrote []byte // what was to be put

	rec     election.Record // that a look found
	foreign error           // why that is none
	same    bool            // it is that which was known
	alone   bool            // it was not read together with others
}

// at is where the record of an election or a round is.
func at(kv store.Store, key string) register.Place {
	return register.Place{Store: kv, Key: key, Package: "leadership"}
}

// newRegister makes the register of a record, for one who waits.
func newRegister(kv store.Store, key string) *register.Register {
	return register.New(register.Config{Place: at(kv, key), Timeout: DefaultCallTimeout, Unsafe: ErrUnsafeStore})
}

// put replaces previous by value. An error says that it may have happened or
// not: not every store tells that apart.
func put(ctx context.Context, kv store.Store, key string, value []byte, previous *store.KVPair) result {
	pair, err := at(kv, key).Put(ctx, value, previous)
	return result{pair: pair, err: err}
}

// parsed is the result of a read of the record of an election.
func parsed(pair *store.KVPair, err error) result { return parsedBy(election.Parse, pair, err) }

// parsedSession is that of a session.
func parsedSession(pair *store.KVPair, err error) result {
	return parsedBy(election.ParseSession, pair, err)
}

func parsedBy(parse func(value []byte) (election.Record, error), pair *store.KVPair, err error) result {
	r := result{pair: pair, err: err}
	if pair != nil {
		rec, err := parse(pair.Value)
		r.rec, r.foreign = rec, foreign(err)
	}
	return r
}

// session returns the key of the session that the record under key rides on, "" for none.
func (r *result) session(key string) (session string) {
	if r.rec.Session != "" && r.foreign == nil {
		session, r.foreign = r.rec.SessionKey(key)
		r.foreign = foreign(r.foreign)
	}
	return session
}

// ridesOn takes in what a read of the record's session has found.
func (r *result) ridesOn(session string, found result) {
	r.err, r.rec.Ride = found.err, &election.Ride{Pair: found.pair, Rec: found.rec}
	if found.foreign != nil {
		r.foreign = fmt.Errorf("session %q: %w", session, found.foreign)
	}
}

// look reads the record of a register, and that of the session that it rides on: both at once
// if it is the session that seen, what was found last, rides on.
func look(ctx context.Context, of *register.Register, seen election.Record) result {
	last := (&result{rec: seen}).session(of.Key)
	if last == "" {
		pair, err := of.Read(ctx)
		return readRide(ctx, of, pair, err)
	}
	pair, beats, err := of.ReadWith(ctx, last)
	r := parsed(pair, err)
	switch session := r.session(of.Key); session {
	case "":
	case last:
		r.ridesOn(session, parsedSession(beats, nil))
	default:
		r.ridesOn(session, parsedSession(of.At(session).Read(ctx)))
	}
	return r
}

// readRide is the result of a read of the record of a register. It reads that of the session
// that it rides on.
func readRide(ctx context.Context, of *register.Register, pair *store.KVPair, err error) result {
	r := parsed(pair, err)
	if key := r.session(of.Key); key != "" {
		r.ridesOn(key, parsedSession(of.At(key).Read(ctx)))
	}
	return r
}

// sessionsAtOnce is how many sessions are read by one call.
const sessionsAtOnce = 1000

// readRides reads the sessions that the records of many elections ride on, each once.
func readRides(ctx context.Context, of *register.Register, elections map[string]result) error {
	riders := make(map[string][]string) // the keys of the elections, by session
	for key, r := range elections {
		if session := r.session(key); session != "" {
			riders[session] = append(riders[session], key)
		}
		elections[key] = r
	}
	for sessions := range slices.Chunk(slices.Sorted(maps.Keys(riders)), sessionsAtOnce) {
		pairs, err := register.Call(ctx, of, func(ctx context.Context) ([]*store.KVPair, error) { return store.GetMany(ctx, of.Store, sessions) })
		if err != nil {
			return fmt.Errorf("leadership: get the sessions of elections: %w", err)
		}
		for i, session := range sessions {
			found := parsedSession(pairs[i], nil)
			for _, key := range riders[session] {
				r := elections[key]
				r.ridesOn(session, found)
				elections[key] = r
			}
		}
	}
	return nil
}

// endRide ends the session that a record of a register rides on (S11), unless that has changed
// since it was read. It returns the record with what stands.
func endRide(ctx context.Context, of *register.Register, rec election.Record) (election.Record, error) {
	r, seen, beat := result{rec: rec}, rec.Ride.Pair, rec.Ride.Rec.Beat
	key := r.session(of.Key)
	r.ridesOn(key, parsedSession(of.At(key).UpdateFrom(ctx, seen, func(found *store.KVPair, _ register.Earlier) (register.Change, error) {
		if !indexes.Same(found, seen) {
			return register.Leave, nil
		}
		beat = election.NextBeat(beat, clock.Stride())
		return register.Write(rec.EndSession(beat).Encode()), nil
	})))
	if r.err == nil {
		r.err = r.foreign
	}
	return r.rec, r.err
}
