package leadership

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/lease"
	"github.com/seed-a1d591d3/leadership/internal/register"
	"github.com/seed-a1d591d3/leadership/internal/relay"
	"github.com/seed-a1d591d3/leadership/store"
)

// Candidate stands in one election, for one node. Make it with NewCandidate;
// the zero value is not usable. All methods are safe for concurrent use.
type Candidate struct {
	kv   store.Store
	key  string
	node string
	ttl  time.Duration
	opts *options
	err  error // what is wrong with the arguments

	term    atomic.Pointer[term]   // that it leads or winds up, or nil
	rival   atomic.Pointer[string] // the other node that leads, as far as is known, or nil
	payload atomic.Pointer[[]byte] // of its terms, never nil
	news    relay.Bell             // of those two and term

	mu       sync.Mutex
	campaign *campaign // the latest, or nil

	issued election.Issued // only one campaign runs at a time, and only its steps use this
}

// NewCandidate makes a candidate for the election under key, which it takes
// part in once it is run. It makes no call of the store.
//
// node is what others know the candidate by; two candidates of the same name
// are two rivals. ttl is how long its claim stands without being renewed, in
// whole milliseconds, at least MinTTL; a leader that crashes is replaced that
// long after a rival has seen its last renewal. 0 means DefaultTTL. Candidates of one election
// may differ in their TTLs and options.
//
// Invalid arguments and options are reported by RunForElection and Run, as
// ErrInvalidArgument.
func NewCandidate(kv store.Store, key, node string, ttl time.Duration, opts ...Option) *Candidate {
	o := newOptions(opts)
	return newCandidate(kv, key, node, ttl, &o)
}

// newCandidate makes one of candidates that share o, and have the same TTL.
func newCandidate(kv store.Store, key, node string, ttl time.Duration, o *options) *Candidate {
	if ttl == 0 {
		ttl = DefaultTTL
	}
	c := &Candidate{kv: kv, key: key, node: node, ttl: ttl.Truncate(time.Millisecond), opts: o}
	c.payload.Store(&o.payload)
	for _, check := range []func() error{
		func() error { return checkStore(kv) },
		func() error { return checkName("key", key) },
		func() error { return checkName("node", node) },
		func() error { return o.candidate(ttl) },
		func() error { return o.ride(kv, c.ttl) },
	} {
		if c.err = check(); c.err != nil {
			break
		}
	}
	return c
}

// RunForElection campaigns until ctx ends, Stop is called, or an error comes
// up that trying again cannot mend. It does not block.
//
// The first channel tells the changes of leadership: false at first, true when
// a term of this candidate begins, and false when it is over; each true is
// followed by a false before the next, and a true that was not read before its
// term was over is taken back. A value that was received tells what was the
// case: before doing what only a leader may do, ask IsLeader.
//
// The second channel tells errors: of the store, which do not end the campaign
// and need not be read (when more than 16 wait, the oldest is dropped), and at
// last the one that ended it: ErrInvalidArgument, ErrUnsafeStore, or
// ErrRunning while the candidate is in Run.
//
// Both are closed when the campaign has ended and its seat has been given up.
// While the store does not answer, that takes up to the TTL. Goroutines of the
// campaign are gone by then, save those in calls that the store, or a health check,
// has not returned from although their contexts ended.
//
// A term that ends by WithRelinquishAfter, WithRelinquishSchedule, WithHealthCheck
// or Ask is given up as its false is sent, for nobody can know when what is done as
// the leader has ended: let Run do it, which waits for that.
//
// On a candidate that is campaigning already, the campaign goes on and is
// handed over: the channels returned before are closed, and from now on it
// ends with the new ctx. After a campaign has ended, another may be run.
func (c *Candidate) RunForElection(ctx context.Context) (<-chan bool, <-chan error) {
	s := relay.NewStream(relay.Terms[*term]())
	if _, err := c.start(ctx, mode{stream: s}); err != nil {
		s.End(err)
	}
	return s.Out, s.Errs
}

// start begins a campaign, or hands a running one over to another stream.
func (c *Candidate) start(ctx context.Context, m mode) (*campaign, error) {
	if c.err != nil {
		return nil, c.err
	}
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.campaign
	if last != nil && (m.stream == nil || !last.streams.used) && last.running() {
		return nil, fmt.Errorf("leadership: candidate for %q: %w", c.key, ErrRunning)
	}
	if last != nil && last.attach(ctx, m.stream) {
		return last, nil
	}
	next := newCampaign(ctx, c, last, m)
	next.attach(ctx, m.stream)
	if ctx.Err() != nil {
		next.stop(context.Cause(ctx)) // now, not when its AfterFunc runs
	}
	c.campaign = next
	next.on.loop.Start()
	if last != nil {
		go func() {
			<-last.done
			next.on.loop.Wake()
		}()
	}
	return next, nil
}

// IsLeader reports whether this candidate leads at this moment: whether its claim
// can be trusted, by the clock, now. It allocates nothing and waits for
// nothing.
//
// A process may be paused between the answer and what is done upon it. Where
// that matters, let whatever is acted upon check the term's Token.
func (c *Candidate) IsLeader() bool {
	t := c.term.Load()
	return t != nil && t.Valid()
}

// Term returns the term that this candidate leads at this moment, and whether
// it leads at all.
func (c *Candidate) Term() (Term, bool) {
	t := c.term.Load()
	if t == nil || !t.Valid() {
		return Term{}, false
	}
	return t.clone(), true
}

// Trust returns how long from now the term that this candidate leads can still
// be trusted if it is not renewed: until the context of Run's work ends, which
// WithGrace has end early. It is 0 if the candidate does not lead. It waits for
// nothing.
//
// A caller that hands the deadline on, as to another process, has to read the clock
// before it calls Trust, never after: else a pause between the two moves the
// deadline into a time when others may lead.
func (c *Candidate) Trust() time.Duration {
	if t := c.term.Load(); t != nil {
		return t.lease.Left()
	}
	return 0
}

// State is what a candidate is at a moment.
type State int

// The states of a candidate.
const (
	// StateBootstrap is that of a candidate that has not campaigned yet, or has
	// not seen the record of the election yet.
	StateBootstrap State = iota

	// StateFollower is that of a candidate that campaigns, or winds that up, and does not lead.
	StateFollower

	// StateLeader is that of a candidate that leads.
	StateLeader

	// StateStopped is that of a candidate whose campaign has ended, and has given up its seat.
	StateStopped
)

func (s State) String() string {
	switch s {
	case StateFollower:
		return "follower"
	case StateLeader:
		return "leader"
	case StateStopped:
		return "stopped"
	default:
		return "bootstrap"
	}
}

// State returns what this candidate is at this moment. It waits for nothing
// but short locks.
func (c *Candidate) State() State {
	if c.IsLeader() {
		return StateLeader
	}
	c.mu.Lock()
	campaign := c.campaign
	c.mu.Unlock()
	if campaign == nil {
		return StateBootstrap
	}
	select {
	case <-campaign.done:
		return StateStopped
	default:
	}
	if campaign.audience.informed.Load() {
		return StateFollower
	}
	return StateBootstrap
}

// Resign gives up the term that this candidate leads, if it leads. It does not
// block: from its return on IsLeader says false; then the work of Run, if
// that is what the candidate is in, is waited for, and the seat given up. The
// candidate goes on campaigning, but leaves the seat to others for one retry
// interval.
//
// Without Run, whatever is done as the leader should have ended before Resign
// is called: others may lead at once.
func (c *Candidate) Resign() {
	if t := c.term.Load(); t != nil {
		t.lease.End(ErrResigned)
	}
}

// Stop ends the campaign: it resigns and campaigns no more. It does not block;
// the channels that RunForElection returned are closed, or Run returns, when
// the campaign has ended. On a candidate that is not campaigning it does
// nothing.
func (c *Candidate) Stop() {
	c.mu.Lock()
	campaign := c.campaign
	c.mu.Unlock()
	if campaign != nil {
		campaign.stop(ErrStopped)
	}
}

// Leader returns the node name of the leader that this candidate knows of at this
// moment: its own while it leads, or another's; or an empty name, also while it does not
// campaign. A leader that has crashed is known until the candidate may take its seat. It waits
// for nothing.
func (c *Candidate) Leader() string {
	if c.IsLeader() {
		return c.node
	}
	if rival := c.rival.Load(); rival != nil {
		return *rival
	}
	return ""
}

// WaitForLeader blocks until Leader returns a name, and returns that; or until ctx ends, and
// returns its cause. It does not campaign: while nothing else does, nobody is found. Of a
// candidate that cannot be run it returns ErrInvalidArgument at once.
func (c *Candidate) WaitForLeader(ctx context.Context) (string, error) {
	if err := errors.Join(c.err, checkContext(ctx)); err != nil {
		return "", err
	}
	name, err := c.news.Wait(ctx, c.Leader)
	if err != nil {
		return "", fmt.Errorf("leadership: wait for a leader of %q: %w", c.key, err)
	}
	return name, nil
}

// SetPayload changes what followers are told of this candidate when it leads, as WithPayload
// says it at first. While it leads, the record is written once more, at once, in the same
// term; else the next term has it. It does not block, and each change costs a write: it is for
// what changes now and then. It returns ErrInvalidArgument for more than MaxPayload bytes.
func (c *Candidate) SetPayload(p []byte) error {
	if err := checkPayload(p); err != nil {
		return err
	}
	p = bytes.Clone(p)
	c.payload.Store(&p)
	c.mu.Lock()
	campaign := c.campaign
	c.mu.Unlock()
	if campaign != nil {
		campaign.on.loop.Wake()
	}
	return nil
}

type termKey struct{} // of a context's value

// TermFromContext returns the term of a context that Run gave to its work, or of one
// derived from that; false for any other context. The term may be over: but if it is,
// those contexts have ended once this has returned, also where no timer has fired
// yet. It does not block.
func TermFromContext(ctx context.Context) (Term, bool) {
	t, ok := ctx.Value(termKey{}).(*term)
	if !ok {
		return Term{}, false
	}
	_ = t.lease.Context().Err() // which ends the contexts, if it is over
	return t.clone(), true
}

// Run campaigns like RunForElection and, whenever the candidate leads, calls
// work with the term and a context that ends when the term does, at the latest
// when its claim can no longer be trusted; context.Cause tells why: ErrLost,
// ErrResigned, ErrStopped, or the cause of ctx. WithGrace makes it end earlier
// than that. TermFromContext finds the term in it. It has the values of ctx, and no
// deadline, since each renewal moves that. Its Err and Done are computed from the
// clock, as IsLeader is; for what is derived from it see the package comment. Only one
// work runs at a time.
//
// When the candidate steps down by choice (Resign, Stop, the end of ctx, the
// return of work) the seat is given up only after work has returned. Work that
// does not return keeps its seat until the record expires by itself, and keeps
// Run from returning.
//
// When work returns nil, or the error of its context after that has ended, the
// candidate resigns and campaigns on. When it returns another error, Run
// resigns and returns that error. When it panics, Run resigns and panics with
// the value and the stack of that, as a PanicError. After Stop and after the end of ctx, which
// are the caller's own wish, Run returns nil; where it could not go on, ErrInvalidArgument,
// ErrUnsafeStore, or ErrRunning when the candidate is campaigning already. It blocks until
// then; errors of the store are logged.
func (c *Candidate) Run(ctx context.Context, work func(ctx context.Context, term Term) error) error {
	if work == nil {
		return invalid("work", "nil", "must be a function")
	}
	campaign, err := c.start(ctx, mode{work: work, function: work})
	if err != nil {
		return err
	}
	return campaign.outcome()
}

// release waits for a call that was abandoned, and gives up what it, or another, may have
// claimed (S5). It outlives the campaign, by as long as the store takes to return from the call;
// and where the term rides on a session that lives on, which its rivals wait for, by as long as
// it takes to give that up.
func (c *campaign) release(call *call, on *lease.Lease, session string) {
	if call != nil {
		call.end()
		<-call.result
		if !call.puts && on == nil {
			return
		}
	}
	for !c.released(session) && on != nil && clock.Pause(on.Context(), c.on.opts.config.Retry) == nil {
	}
}

// released gives up what the campaign may have claimed. It reports whether that has succeeded.
func (c *campaign) released(session string) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), c.by.ttl)
	defer cancel()
	for range election.Refusals {
		pair, err := at(c.on.kv, c.on.key).Get(ctx)
		found, _ := c.on.parsed(new(view), pair, err)
		rec := found.rec                                              // the zero record where there is none of an election
		if rec.Session != session || !c.machine.MayHaveWritten(rec) { // see Machine.MayHold
			return found.err == nil
		}
		left := rec.Vacated(election.NextBeat(rec.Beat, clock.Stride()), c.machine.Leaving())
		if r := put(ctx, c.on.kv, c.on.key, left.Encode(), found.pair); !register.Refused(r.err) {
			return r.err == nil
		}
	}
	return false
}
