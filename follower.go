package leadership

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/indexes"
	"github.com/seed-a1d591d3/leadership/internal/relay"
	"github.com/seed-a1d591d3/leadership/store"
)

// Follower follows an election without standing in it. Make it with
// NewFollower; the zero value is not usable. All methods are safe for
// concurrent use.
type Follower struct {
	kv   store.Store
	key  string
	opts options
	err  error // what is wrong with the arguments

	belief atomic.Pointer[belief] // in the leader, or nil
	news   relay.Bell             // of that

	mu        sync.Mutex
	following *following // the latest, or nil
}

// belief is what a follower knows of a leader, and until when it believes in it.
type belief struct {
	term  Term
	until time.Duration // on the monotonic clock
}

// NewFollower makes a follower of the election under key, which begins once
// FollowElection is called. It makes no call of the store. Invalid arguments
// and options are reported by FollowElection, as ErrInvalidArgument.
func NewFollower(kv store.Store, key string, opts ...Option) *Follower {
	f := &Follower{kv: kv, key: key, opts: newOptions(opts)}
	f.opts.session = nil // to read it as any other
	if f.err = checkStore(kv); f.err == nil {
		f.err = checkName("key", key)
	}
	if f.err == nil {
		f.err = f.opts.follower()
	}
	return f
}

// FollowElection follows until ctx ends or Stop is called. It does not block.
//
// The first channel tells the node name of the present leader, once there is
// one, and then every change: an empty name when the seat has been vacated,
// and when the leader has not been heard of for its TTL plus the margin,
// though it be because this follower does not reach the store. A reader who is
// slow is told the latest.
//
// The second channel tells errors, which need not be read (when more than 16
// wait, the oldest is dropped) and do not end the following, except for
// ErrInvalidArgument. Both channels are closed when it has ended.
//
// On a follower that is following already the channels returned before are
// closed and the new ones take over, as does ctx. After it has ended, it may
// be run again.
func (f *Follower) FollowElection(ctx context.Context) (<-chan string, <-chan error) {
	s := relay.NewStream(relay.Latest())
	err := f.err
	if err == nil {
		err = checkContext(ctx)
	}
	if err != nil {
		s.End(err)
		return s.Out, s.Errs
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	previous := f.following
	p := &following{
		of: f, ctx: ctx, stream: s, previous: previous, done: make(chan struct{}),
		on: observer{kv: f.kv, key: f.key, opts: &f.opts},
	}
	p.on.report = p.problem
	p.on.loop.Init(f.opts.clock, p.step)
	if !f.opts.callbacks.none() {
		p.notices = newNotices()
	}
	f.following = p
	p.on.loop.Start()
	if previous != nil {
		previous.end()
		go func() {
			<-previous.done
			p.on.loop.Wake()
		}()
	}
	return s.Out, s.Errs
}

// Changes follows as FollowElection does, for a range loop: it yields the node name of the
// leader, empty for none, whenever that changes. Where the error is not nil, nothing else has
// changed, and the name is the one before. Leaving the loop ends the following, as the end of
// ctx does.
func (f *Follower) Changes(ctx context.Context) iter.Seq2[string, error] {
	return relay.Changes(ctx, f.FollowElection)
}

// Leader returns the node name of the leader that this follower believes in at
// this moment, or an empty name. It waits for nothing.
func (f *Follower) Leader() string {
	t, _ := f.Term()
	return t.Leader
}

// WaitForLeader blocks until Leader returns a name, and returns that; or until ctx ends, and
// returns its cause. It does not follow by itself: while FollowElection does not, nobody is
// found. Of a follower that cannot follow it returns ErrInvalidArgument at once.
func (f *Follower) WaitForLeader(ctx context.Context) (string, error) {
	if err := errors.Join(f.err, checkContext(ctx)); err != nil {
		return "", err
	}
	name, err := f.news.Wait(ctx, f.Leader)
	if err != nil {
		return "", fmt.Errorf("leadership: wait for a leader of %q: %w", f.key, err)
	}
	return name, nil
}

// Term returns the term of the leader that this follower believes in at this
// moment, and whether there is one. It waits for nothing.
func (f *Follower) Term() (Term, bool) {
	b := f.belief.Load()
	if b == nil || f.opts.clock.Now().Mono >= b.until {
		return Term{}, false
	}
	return b.term.clone(), true
}

// Stop ends the following. It does not block; the channels are closed when it
// has ended. On a follower that is not following it does nothing.
func (f *Follower) Stop() {
	f.mu.Lock()
	p := f.following
	f.mu.Unlock()
	if p != nil {
		p.end()
	}
}

// forget forgets the leader, unless p has been taken over from.
func (f *Follower) forget(p *following) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.following == p {
		f.belief.Store(nil)
	}
}

// following is one run of a follower. Its steps do not block, and are
// never taken at once.
type following struct {
	on       observer
	of       *Follower
	ctx      context.Context
	stream   *relay.Stream[string, string]
	previous *following // that this one takes over from, or nil
	view     view
	calls    calls
	notices  *notices      // for the callbacks, or nil
	told     chan struct{} // closed when the callbacks have been told all
	leader   Term          // that the callbacks were told of last

	detach func() bool // stops listening to ctx
	stop   atomic.Bool
	done   chan struct{} // closed when it has ended
}

// calls are when to look next.
type calls struct {
	fails     int           // failed calls in a row
	notBefore time.Duration // no call before this, after failures
	poll      time.Duration // when to look next, though nothing hints at it
	hinted    bool          // the watch showed something that is not known
}

func (p *following) end() {
	p.stop.Store(true)
	p.on.loop.Wake()
}

// problem logs err and tells the listeners.
func (p *following) problem(err error) {
	p.on.warn("follower", err)
	p.stream.Report(err)
	if p.notices != nil {
		p.notices.failed(err)
	}
}

// step goes on with the following until it has to wait.
func (p *following) step() {
	if p.on.watch == nil && !p.enter() {
		return
	}
	if call, r := p.on.returned(); call != nil {
		p.looked(r)
	}
	if p.stop.Load() {
		p.on.loop.Last()
		go p.finish() // which waits
		return
	}
	now := p.on.opts.clock.Now()
	p.on.hinted(p.hint)
	p.tell(now.Mono)
	p.on.loop.Sleep(p.next(now))
}

// enter begins once the run before it has ended, and reports whether it has.
func (p *following) enter() bool {
	if p.previous != nil {
		select {
		case <-p.previous.done:
			p.previous = nil
		default:
			return false
		}
	}
	p.detach = context.AfterFunc(p.ctx, p.end)
	if p.notices != nil {
		p.told = make(chan struct{})
		go func() {
			defer close(p.told)
			p.on.opts.callbacks.listen(p.notices)
		}()
	}
	now := p.on.opts.clock.Now().Mono // which may be below 0
	p.calls.notBefore, p.calls.poll = now, now
	p.on.open(p.ctx, p.interval)
	return true
}

// finish ends what belongs to the following, waits for it, and closes the channels.
func (p *following) finish() {
	watched := p.on.watch.Close()
	if p.on.call != nil {
		p.on.call.end()
	}
	<-watched
	p.of.forget(p)
	p.stream.End(nil)
	if p.notices != nil {
		p.notices.close()
		<-p.told
	}
	p.detach()
	close(p.done)
}

// hint takes in what the watch showed: a pair with a higher index is as good as a look, but
// for the session of a term that rides.
func (p *following) hint(pair *store.KVPair, came time.Duration, parse func() (election.Record, error)) {
	if !p.view.Differs(pair) {
		return
	}
	rec, err := parse()
	if p.calls.fails > 0 || pair == nil || err != nil || rec.Session != "" ||
		p.view.Pair == nil || pair.LastIndex <= p.view.Pair.LastIndex || rec.Token < p.view.Rec.Token {
		p.calls.hinted = true
		return
	}
	p.saw(result{pair: pair, rec: rec}, came)
	p.calls.poll = came + election.PollLate(p.on.opts.clock.Float64, p.interval())
}

// next begins a look where one is due, and returns until when to wait.
func (p *following) next(now clock.Instant) time.Duration {
	until := clock.Never
	if b := p.of.belief.Load(); b != nil {
		until = b.until
	}
	limit := min(max(p.interval(), MinTTL), DefaultCallTimeout)
	switch {
	case p.on.call != nil:
	case now.Mono < p.calls.notBefore:
		return min(until, p.calls.notBefore)
	case !p.view.Known || p.calls.hinted || now.Mono >= p.calls.poll:
		var idle time.Duration
		if p.view.Known && !p.calls.hinted && p.calls.fails == 0 {
			idle = limit / 4
		}
		p.calls.hinted = false
		p.on.look(p.ctx, now, limit, false, idle, &p.view)
	default:
		return min(until, p.calls.poll)
	}
	return min(until, p.on.overdue(now.Mono, limit))
}

// interval is how long this follower goes without looking.
func (p *following) interval() time.Duration {
	d, o := followerRetry, p.on.opts
	if o.set.retry {
		d = o.config.Retry
	}
	if b := p.of.belief.Load(); b != nil && (!o.set.retry || b.term.TTL/3 < d) {
		d = b.term.TTL / 3
	}
	return d
}

// poll returns when to look next, though nothing hints at it.
func (p *following) poll(now time.Duration) time.Duration {
	return now + election.PollAfter(p.on.opts.clock.Float64, p.interval())
}

// looked takes in what a look has found.
func (p *following) looked(r result) {
	now := p.on.opts.clock.Now().Mono
	p.calls.poll = p.poll(now)
	err := r.err
	if r.foreign != nil {
		err = fmt.Errorf("leadership: key %q: %w", p.on.key, r.foreign)
	}
	if err != nil {
		p.calls.fails++
		p.calls.notBefore = now + election.Backoff(p.on.opts.clock.Float64, p.calls.fails, min(p.interval(), election.MaxBackoff))
		p.on.trouble("get", err, now)
		return
	}
	p.calls.fails = 0
	p.on.answered("get", now)
	before := p.view.Pair
	if p.saw(r, now); r.pair != nil && !indexes.Same(before, r.pair) {
		p.on.watch.Again() // which did not show it
	}
}

// saw takes in what is stored.
func (p *following) saw(r result, now time.Duration) {
	if !p.view.See(r.pair, r.rec, now) {
		return
	}
	switch rec := r.rec; {
	case rec.Ended():
		p.of.belief.Store(nil)
	case rec.Held():
		margin := p.on.opts.margin
		if !p.on.opts.set.margin {
			margin = rec.TTL() / 5
		}
		p.of.belief.Store(&belief{termOf(rec), now + rec.Stands() + margin})
		p.calls.poll = min(p.calls.poll, p.poll(now)) // the TTL is known by now
	case r.pair != nil:
		p.of.belief.Store(nil)
	}
	// A record that has vanished says nothing: its leader may still lead.
	if p.notices != nil {
		s := standing(r.rec, p.on.key)
		s.Left = p.view.Left(now)
		p.notices.stands(s)
	}
}

// tell passes on who leads, as of now.
func (p *following) tell(now time.Duration) {
	b := p.of.belief.Load()
	if b != nil && now >= b.until {
		b = nil
		p.of.belief.Store(nil)
	}
	var t Term
	if b != nil {
		t = b.term
	} else if p.view.Known {
		t.Last = endingOf(p.view.Rec.LastEnding())
	}
	p.stream.Set(t.Leader)
	p.of.news.Ring()
	if p.notices != nil && p.view.Known && !t.same(p.leader) {
		p.leader = t
		p.notices.leads(t.clone())
	}
}
