package storetest

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/seed-a1d591d3/leadership/store"
)

// operation is one call of a history, on one key.
type operation struct {
	client      int
	key         string
	kind        kind
	value       string        // to be written: no two writes have the same
	previous    *store.KVPair // of a write
	pair        *store.KVPair // as read or written
	err         error         // nil: it was done
	began, took time.Duration // since the history began
}

type kind string

const (
	opGet    kind = "Get"
	opPut    kind = "AtomicPut"
	opDelete kind = "AtomicDelete"
	opEnd    kind = "end" // all that had an answer was before
)

// refused reports whether the error of a write means that it did not happen.
func (op operation) refused() bool {
	switch {
	case op.err == nil || op.kind == opGet:
		return false
	case op.previous == nil:
		return errors.Is(op.err, store.ErrKeyExists)
	default:
		return isAny(op.err, gone...)
	}
}

// missing reports whether a read has found the key missing.
func (op operation) missing() bool {
	return op.kind == opGet && errors.Is(op.err, store.ErrKeyNotFound)
}

// unknown reports whether the outcome of the call is not known.
func (op operation) unknown() bool { return op.err != nil && !op.refused() && !op.missing() }

func (op operation) String() string {
	s := fmt.Sprintf("%10v %10v  client %d  %s", op.began.Round(time.Microsecond), (op.began + op.took).Round(time.Microsecond), op.client, op.kind)
	switch {
	case op.kind == opPut && op.previous == nil:
		s += fmt.Sprintf(" %s, created", op.value)
	case op.kind == opPut:
		s += fmt.Sprintf(" %s over index %d", op.value, op.previous.LastIndex)
	case op.kind == opDelete:
		s += fmt.Sprintf(" index %d", op.previous.LastIndex)
	}
	switch {
	case op.err != nil:
		return fmt.Sprintf("%s: %v", s, op.err)
	case op.kind == opDelete:
		return s + ": done"
	default:
		return fmt.Sprintf("%s: %s, index %d", s, op.pair.Value, op.pair.LastIndex)
	}
}

// state is a possible state of a key at one instant.
type state struct {
	found bool
	value string
	index uint64
	known bool // index is known; otherwise no client has ever seen it
	over  bool // the history has ended
}

// model is the model of one key.
//
// A write without an answer has no end in the history: either it takes effect at some
// instant, or it comes after the end of the history, where it has no effect.
type model struct {
	restarts bool              // an index may be used again: see Capabilities
	indexes  map[string]uint64 // of the values that a client has seen
}

func (m model) step(s state, op operation) (bool, state) {
	if s.over {
		return op.unknown(), s
	}
	switch op.kind {
	case opEnd:
		return true, state{over: true}
	case opGet:
		if op.missing() {
			return !s.found, s
		}
		return s.found && s.value == string(op.pair.Value) && s.known && s.index == op.pair.LastIndex, s
	}
	if op.refused() {
		return m.refuses(s, op), s
	}
	// Done, or perhaps done.
	if op.previous == nil && s.found || op.previous != nil && !m.unchanged(s, op.previous) {
		return false, s
	}
	if op.kind == opDelete {
		return true, state{}
	}
	index, known := m.indexes[op.value]
	return true, state{found: true, value: op.value, index: index, known: known}
}

// refuses reports whether a write may be refused in this state, with this error.
func (m model) refuses(s state, op operation) bool {
	switch {
	case errors.Is(op.err, store.ErrKeyExists):
		return s.found
	case errors.Is(op.err, store.ErrKeyNotFound):
		return !s.found
	default:
		return !s.found || !s.known || s.index != op.previous.LastIndex
	}
}

// unchanged reports whether a key in this state may be unchanged since previous.
func (m model) unchanged(s state, previous *store.KVPair) bool {
	if !s.known {
		return s.found && m.restarts
	}
	return s.found && s.index == previous.LastIndex
}

// learn records the indexes of values. It returns an error if two writes have one index,
// or one write has two.
func (m model) learn(history []operation) error {
	values := make(map[uint64]string)
	for _, op := range history {
		if op.pair == nil || op.err != nil {
			continue
		}
		value, index := string(op.pair.Value), op.pair.LastIndex
		if before, told := m.indexes[value]; told && before != index {
			return fmt.Errorf("the index of %s is %d, and then %d", value, before, index)
		}
		if before, told := values[index]; told && before != value && !m.restarts {
			return fmt.Errorf("index %d is that of %s, and of %s", index, before, value)
		}
		m.indexes[value], values[index] = index, value
	}
	return nil
}

// linearizable returns an error unless the history of one key, which was missing at
// first, is possible if each call takes effect at one instant between its beginning and
// its end.
func linearizable(history []operation, restarts bool, limit time.Duration) error {
	m := model{restarts, make(map[string]uint64)}
	if err := m.learn(history); err != nil {
		return err
	}
	ops := make([]porcupine.Operation, 0, len(history)+1)
	for _, op := range history {
		o := porcupine.Operation{ClientId: op.client, Input: op, Call: int64(op.began), Return: int64(op.began + op.took)}
		if op.unknown() {
			if op.kind == opGet {
				continue
			}
			o.Return = math.MaxInt64
		}
		ops = append(ops, o)
	}
	ops = append(ops, porcupine.Operation{Input: operation{kind: opEnd}, Call: math.MaxInt64 - 2, Return: math.MaxInt64 - 1})
	result, info := porcupine.CheckOperationsVerbose(porcupine.Model{
		Init: func() any { return state{} },
		Step: func(s, in, _ any) (bool, any) { return m.step(s.(state), in.(operation)) },
	}, ops, limit)
	switch result {
	case porcupine.Ok:
		return nil
	case porcupine.Unknown:
		return fmt.Errorf("no answer in %v: that is no pass", limit)
	default:
		return fmt.Errorf("no order of the calls explains it%s", farthest(info))
	}
}

// farthest returns how many of the calls can be explained.
func farthest(info porcupine.LinearizationInfo) string {
	var longest []porcupine.Operation
	for _, partition := range info.PartialLinearizationsOperations() {
		for _, ops := range partition {
			if len(ops) > len(longest) {
				longest = ops
			}
		}
	}
	if len(longest) == 0 {
		return ""
	}
	return fmt.Sprintf("; it can be followed through %d calls, the last of which is\n%v", len(longest), longest[len(longest)-1].Input)
}
