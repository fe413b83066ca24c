package leadership

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/lease"
	"github.com/seed-a1d591d3/leadership/internal/register"
	"github.com/seed-a1d591d3/leadership/store"
)

// Term is one unbroken time of one leader. The zero value is no term.
type Term struct {
	// Leader is the node name of the leader.
	Leader string

	// Token is the fencing token: every term has a higher one than all terms
	// before it. Whatever must not be done by a leader of the past should
	// carry it, and be refused where a higher one has been seen.
	Token uint64

	// Since is when the term began, by the leader's wall clock.
	Since time.Time

	// TTL is how long the leader's claim stands after a renewal.
	TTL time.Duration

	// Payload is what the leader tells its followers, such as its address.
	Payload []byte

	// Last tells of the term before, where that is known.
	Last Ending
}

// Ending is how a term has ended. The zero value tells nothing.
type Ending struct {
	Leader string
	Token  uint64

	// Reason is why: "resigned", "expired", "evicted", "unhealthy",
	// "relinquished" or "transferred".
	Reason string
}

// String returns the leader, the token and the beginning of the term, without its payload.
func (t Term) String() string {
	if t.Leader == "" {
		return "no term"
	}
	return fmt.Sprintf("%q, token %d, since %s", t.Leader, t.Token, t.Since.Format(time.RFC3339))
}

// same reports whether nothing has changed for those who want to know who leads.
func (t Term) same(other Term) bool {
	return t.Leader == other.Leader && t.Token == other.Token && t.Last == other.Last
}

// clone returns t with a payload of its own.
func (t Term) clone() Term {
	t.Payload = bytes.Clone(t.Payload)
	return t
}

// termOf returns the term of a record.
func termOf(r election.Record) Term {
	return Term{Leader: r.Leader, Token: r.Token, Since: r.Since, TTL: r.TTL(), Payload: r.Payload, Last: endingOf(r.Last)}
}

// endingOf returns what users see of how a term has ended; e may be nil.
func endingOf(e *election.Ending) Ending {
	if e == nil {
		return Ending{}
	}
	return Ending{e.Leader, e.Token, string(e.Reason)}
}

// Standing is how an election stands, for people and programs that look at it
// from outside. It tells no instance: that is the holder's own.
type Standing struct {
	// Key is the key of the election.
	Key string

	// Term is that of the leader whose record stands. Where the seat is vacant
	// it tells of the last term alone, and its Leader is empty. A leader that
	// has crashed stands here until another has taken its seat.
	Term Term

	// Beat is another after each renewal, of the session that the term rides on too, and
	// with each term.
	Beat uint64

	// Session is the key of the session that the term rides on, or empty.
	Session string

	// Left is for how long the leader may lead yet, though it do not renew its
	// term or session; where there is no record any more, the one that had it. It is 0 where
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
// that has never been held. The seat of a term whose session has ended is vacant.
func standing(r election.Record, key string) Standing {
	s := Standing{Key: key, Term: termOf(r).clone(), Beat: r.Beat}
	if r.Ride != nil {
		s.Beat += r.Ride.Rec.Beat
	}
	switch {
	case !r.Held() || r.Ended():
		s.Term = Term{Last: endingOf(r.LastEnding())}
	case r.Session != "":
		s.Session, _ = r.SessionKey(key)
	}
	for _, w := range r.Waiting {
		s.Waiting = append(s.Waiting, Waiting(w))
	}
	if a := r.Ask; a != nil {
		s.Asked = Request{Action: Action(a.Do), To: a.To, Keep: a.Keep, By: a.By, Hold: time.Duration(a.Millis) * time.Millisecond}
		s.AskedAt = a.At.Truncate(time.Millisecond) // the rest is random
	}
	return s
}

// Elections returns how the elections stand whose keys begin with prefix, sorted
// by key. What is stored there and is no election is left out, as is a term that rides on a
// session which kv does not show, or under whose key is something else. It blocks for as
// long as the store takes; each thousand keys or so take one call, for DefaultCallTimeout
// at most, as does each thousand sessions. It returns ErrInvalidArgument and errors of the store. Not every store can list with an
// empty prefix, or one that does not end with a slash.
func Elections(ctx context.Context, kv store.Store, prefix string) ([]Standing, error) {
	if err := errors.Join(checkStore(kv), checkContext(ctx)); err != nil {
		return nil, err
	}
	found := make(map[string]result) // of two pages, by the later
	r := newRegister(kv, prefix)
	err := register.Pages(ctx, r, func(pairs []*store.KVPair) error {
		for _, pair := range pairs {
			if r := parsed(pair, nil); r.foreign == nil {
				found[pair.Key] = result{rec: r.rec}
			}
		}
		return nil
	})
	if err == nil {
		err = readRides(ctx, r, found)
	}
	if err != nil {
		return nil, err
	}
	var all []Standing
	for _, key := range slices.Sorted(maps.Keys(found)) {
		if found := found[key]; found.foreign == nil {
			all = append(all, standing(found.rec, key))
		}
	}
	return all, nil
}

// term is what a candidate leads, or winds up.
type term struct {
	Term
	payload *atomic.Pointer[[]byte]
	lease   *lease.Lease
}

// now returns the term with the candidate's present payload, which must not be changed.
func (t *term) now() Term {
	now := t.Term
	now.Payload = *t.payload.Load()
	return now
}

// clone returns the same with a payload of its own.
func (t *term) clone() Term { return t.now().clone() }

// Valid reports whether the term can be trusted now.
func (t *term) Valid() bool { return t.lease.Valid() }

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

	// Beat, if it is not 0, is that of the last answer. Where the term was renewed
	// since, nothing is written: the claim ends with ErrLost, and tells the present
	// Beat. Another process with the same memory, such as that of a copy of the
	// machine, leads then. Or it was an earlier claim of this one that was not
	// answered: if there is such a claim, claim again with the Beat that was told.
	Beat uint64

	// wrote are the beats that this call has tried to write: to find one of them is
	// no sign of another process.
	wrote []uint64

	retry time.Duration // the retry interval for its TTL

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

	// Beat is for the next claim of a claimant that has won, or whose term was renewed
	// since the Beat of its claim; else 0.
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
// what is wrong with it. o are the options of its claims.
func (by *Claim) check(o options) (time.Duration, error) {
	if err := checkName("node", by.Node); err != nil {
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
	if err := checkPayload(by.Payload); err != nil {
		return 0, err
	}
	err := o.candidate(by.TTL)
	by.TTL, by.retry = by.TTL.Truncate(time.Millisecond), o.config.Retry
	by.Payload = bytes.Clone(by.Payload) // the caller may change it
	return o.trust(by.TTL), err
}

// errWorkExited is what work that calls runtime.Goexit is taken to return.
var errWorkExited = errors.New("leadership: the work ended its goroutine without returning")

// work is that of the terms of a campaign in Run. Only one runs at a time.
type work struct {
	do       func(context.Context, Term) error // nil but in Run
	function any                               // the function that a log names, where it does not return

	running         bool          // that of the term has not returned
	since, patience time.Duration // since when it has been overdue, and how long it may be

	mu       sync.Mutex
	returned *outcome
}

// outcome is how work has ended.
type outcome struct {
	err      error
	panicked *PanicError
}

// begin begins the work of a term. returned is called when it has returned.
func (w *work) begin(t *term, returned func()) {
	w.running, w.patience = true, 0
	// What needs a large stack is done before: that of thousands which wait stays the smallest.
	term, ctx := t.clone(), t.lease.Context()
	ctx.Done()
	go func() {
		did := &outcome{err: errWorkExited}
		defer func() {
			if v := recover(); v != nil {
				did.panicked = &PanicError{v, debug.Stack()}
			}
			w.mu.Lock()
			w.returned = did
			w.mu.Unlock()
			returned()
		}()
		did.err = w.do(ctx, term)
	}()
}

// take returns how the work has ended, once, or nil.
func (w *work) take() *outcome {
	w.mu.Lock()
	defer w.mu.Unlock()
	did := w.returned
	w.returned = nil
	return did
}

// due is when to complain of work that is overdue.
func (w *work) due() time.Duration {
	if !w.running || w.patience == 0 {
		return clock.Never
	}
	return w.since + w.patience
}

// name is what people know the work by: what they call it, or its function.
func (w *work) name(called string) string {
	if called != "" {
		return called
	}
	// The name of a method's value has a suffix of its own.
	return strings.TrimSuffix(runtime.FuncForPC(reflect.ValueOf(w.function).Pointer()).Name(), "-fm")
}
