package leadership

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/register"
	"github.com/seed-a1d591d3/leadership/store"
)

// Standing is how an election stands, for people and programs that look at it
// from outside. It tells no instance: that is the holder's own.
type Standing struct {
	// Key is the key of the election.
	Key string

	// Term is that of the leader whose record stands. Where the seat is vacant
	// it tells of the last term alone, and its Leader is empty. A leader that
	// has crashed stands here until another has taken its seat.
	Term Term

	// Beat is another after each renewal, and with each term.
	Beat uint64

	// Left is for how long the leader may lead yet, though it do not renew its
	// term; where there is no record any more, whoever had it. It is 0 where
	// nobody can lead, and where that has not been observed, as by Elections.
	Left time.Duration

	// Waiting are the preferred candidates that wait for the seat, the most
	// preferred first.
	Waiting []Waiting

	// Asked is what an operator asks of the election and has not been obeyed, or
	// is a pause or a transfer. Its Action is empty where there is nothing.
	Asked Request

	// AskedAt is when that was asked, by the clock of who asked.
	AskedAt time.Time
}

// Waiting is a candidate with a priority that waits for the seat.
type Waiting struct {
	Node     string
	Priority int
}

// standing returns what others see of a record; a zero one is of an election
// that has never been held.
func standing(r election.Record, key string) Standing {
	s := Standing{Key: key, Term: termOf(r).clone(), Beat: r.Beat}
	if !r.Held() {
		s.Term = Term{Last: endingOf(r.Last)}
	}
	for _, w := range r.Waiting {
		s.Waiting = append(s.Waiting, Waiting(w))
	}
	if a := r.Ask; a != nil {
		s.Asked = Request{Action: Action(a.Do), To: a.To, Keep: a.Keep, By: a.By, Hold: time.Duration(a.Millis) * time.Millisecond}
		s.AskedAt = a.At
	}
	return s
}

// Elections returns how the elections stand whose keys begin with prefix, sorted
// by key. What is stored there and is no election is left out. It blocks for as
// long as the store takes, for DefaultCallTimeout at most. It returns
// ErrInvalidArgument and errors of the store. Not every store can list with an
// empty prefix, or one that does not end with a slash.
func Elections(ctx context.Context, kv store.Store, prefix string) ([]Standing, error) {
	if err := errors.Join(checkStore(kv), checkContext(ctx)); err != nil {
		return nil, err
	}
	r := newRegister(kv, prefix)
	pairs, err := register.Call(ctx, r, r.List)
	if err != nil {
		return nil, err
	}
	var all []Standing
	for _, pair := range pairs {
		if rec, err := election.Parse(pair.Value); err == nil {
			all = append(all, standing(rec, pair.Key))
		}
	}
	slices.SortFunc(all, func(a, b Standing) int { return strings.Compare(a.Key, b.Key) })
	return all, nil
}
