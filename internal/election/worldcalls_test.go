package election

import (
	"slices"
	"strings"

	"github.com/seed-a1d591d3/leadership/internal/indexes"
	"github.com/seed-a1d591d3/leadership/store"
)

// send begins a call of the store, and ends it at once if nothing is to go wrong.
func (w *world) send(c *candidate, s Step) {
	c.call = &exchange{step: s, start: w.clockOf(c)}
	if s.Do == Put {
		w.covered[coverOp(s.Op)] = true
	}
	fault := none
	if s.Do != Look || !c.write {
		fault, c.fault, c.write = c.fault, none, false
	}
	if w.byHand || fault == holding {
		w.say("%s: under way", describeStep(c, s))
		return
	}
	switch {
	case w.down || fault == failing:
		c.call.failed = true
	case fault == refusing || w.refusing && s.Do != Look:
		c.call.failed, c.call.refused = true, true
	default:
		w.deliver(c, c.call)
		c.call.failed = c.call.failed || fault == losing
	}
	c.call.answered = true
}

// deliver has the store do what a call asks for.
func (w *world) deliver(c *candidate, e *exchange) {
	e.delivered = true
	key := c.key
	switch e.step.Do {
	case Look:
		e.pair, e.ride = w.read(key), nil
		switch rec, err := parsePair(e.pair); {
		case err != nil || rec.Session == "":
		case rec.Session != w.named(c):
			e.ride = &Ride{Pair: w.read(rec.Session)}
			e.ride.Rec, _ = parsePair(e.ride.Pair)
		case !w.carries(c.rides, rec.Instance):
			e.ride = &Ride{Left: true}
		}
		return
	case End:
		key = e.step.Seen.Session
	}
	w.checkWrite(c, key, e.step)
	before := w.at(key).stored
	if before == nil != (e.step.Previous == nil) || before != nil && before.LastIndex != e.step.Previous.LastIndex && !w.unsafe {
		e.failed, e.refused = true, true
		return
	}
	e.pair = w.write(key, e.step.Record.Encode())
}

// carries reports whether a campaign of that instance rides on a session.
func (w *world) carries(session *candidate, instance string) bool {
	return slices.ContainsFunc(w.candidates, func(c *candidate) bool {
		return c.rides == session && c.state != finished && c.state != crashed && c.machine != nil && c.machine.by.Instance == instance
	})
}

// read returns what a read finds.
func (w *world) read(key string) *store.KVPair {
	stored := w.at(key).stored
	if stored == nil {
		return nil
	}
	pair := *stored
	if w.unsafe {
		pair.LastIndex += 1000
	}
	return &pair
}

// write stores a value; nil deletes what is there.
func (w *world) write(key string, value []byte) *store.KVPair {
	w.index++
	r := w.at(key)
	r.stored = nil
	if value != nil {
		r.stored = &store.KVPair{Value: value, LastIndex: w.index}
	}
	r.history = append(r.history, r.stored)
	return r.stored
}

// answer tells the machine what has come of its call, if the reply is there.
func (w *world) answer(c *candidate) {
	e := c.call
	if e == nil || !e.answered {
		return
	}
	c.call = nil
	w.follow(c)
	now, m := w.clockOf(c), c.machine
	found := describe(e.pair, c) // by what it knew before
	outcome := "acknowledged"
	if e.step.Do != Look && e.failed {
		outcome = "no answer"
		if e.refused {
			outcome = "refused"
		} else if e.delivered {
			outcome = "done, but the reply is lost"
		}
	}
	switch {
	case e.step.Do == End:
		m.SessionEnded(e.failed, e.refused, now)
	case e.step.Do == Put && e.failed:
		m.PutFailed(e.refused, now)
	case e.step.Do == Put:
		m.Wrote(e.pair, e.step.Record.Encode(), now)
	case e.failed:
		m.LookFailed(now)
		outcome = "no answer"
	default:
		outcome = found
		if c.machine.view.Known && indexes.Same(e.pair, c.machine.view.Pair) {
			outcome, _, _ = strings.Cut(outcome, ";")
			outcome += ", as before"
		}
		outcome += w.rode(c, e)
		rec := Record{}
		var err error
		if e.pair != nil {
			rec, err = c.by.parse(e.pair.Value)
		}
		if err != nil {
			m.ReadForeign(now)
		} else {
			rec.Ride = e.ride
			m.Read(e.pair, rec, now)
		}
	}
	events := m.Events()
	w.say("%s: %s%s", describeStep(c, e.step), outcome, w.afterwards(c, events))
	w.handle(c, events)
	w.follow(c)
}

// parsePair reads a record of an election or of a session.
func parsePair(pair *store.KVPair) (Record, error) {
	if pair == nil {
		return Record{}, nil
	}
	rec, err := Parse(pair.Value)
	if session, err := ParseSession(pair.Value); err == nil {
		return session, nil
	}
	return rec, err
}

// parse reads a record of the format that the claimant writes.
func (c *Claimant) parse(value []byte) (Record, error) {
	if c.Format == Sessions {
		return ParseSession(value)
	}
	return Parse(value)
}
