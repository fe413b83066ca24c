package leadership

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
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

	heard atomic.Pointer[hearing] // of the leader, or nil

	mu      sync.Mutex
	pursuit *pursuit // the latest, or nil
}

// hearing is what a follower last heard of a leader, and until when it
// believes in it.
type hearing struct {
	term  Term
	until time.Duration // on the monotonic clock
}

// NewFollower makes a follower of the election under key, which begins once
// FollowElection is called. It makes no call of the store. An argument or
// option that will not do is reported by FollowElection, as
// ErrInvalidArgument.
func NewFollower(kv store.Store, key string, opts ...Option) *Follower {
	f := &Follower{kv: kv, key: key, opts: newOptions(opts)}
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
	s := newStream(newLeaderRelay())
	err := f.err
	if err == nil {
		err = checkContext(ctx)
	}
	if err != nil {
		s.end(err)
		return s.out, s.errs
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	previous := f.pursuit
	p := &pursuit{
		of: f, ctx: ctx, stream: s, previous: previous,
		done: make(chan struct{}),
		seat: seat{kv: f.kv, key: f.key, opts: &f.opts},
	}
	p.report = func(err error) {
		p.warn("follower", err)
		s.report(err)
		if p.notices != nil {
			p.notices.failed(err)
		}
	}
	if !f.opts.callbacks.none() {
		p.notices = newNotices()
	}
	p.take = p.turn
	f.pursuit = p
	p.nudge()
	if previous != nil {
		previous.end()
		go func() {
			<-previous.done
			p.nudge()
		}()
	}
	return s.out, s.errs
}

// Leader returns the node name of the leader that this follower believes in at
// this moment, or an empty name. It waits for nothing.
func (f *Follower) Leader() string {
	t, _ := f.Term()
	return t.Leader
}

// Term returns the term of the leader that this follower believes in at this
// moment, and whether there is one. It waits for nothing.
func (f *Follower) Term() (Term, bool) {
	h := f.heard.Load()
	if h == nil || f.opts.clock.Now().Mono >= h.until {
		return Term{}, false
	}
	return h.term.clone(), true
}

// Stop ends the following. It does not block; the channels are closed when it
// has ended. On a follower that is not following it does nothing.
func (f *Follower) Stop() {
	f.mu.Lock()
	p := f.pursuit
	f.mu.Unlock()
	if p != nil {
		p.end()
	}
}

// forget forgets the leader, unless p has been taken over from.
func (f *Follower) forget(p *pursuit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pursuit == p {
		f.heard.Store(nil)
	}
}

// pursuit is one run of a follower, by turns that do not block, but for the last.
type pursuit struct {
	seat
	of       *Follower
	ctx      context.Context
	stream   *stream[string, string]
	previous *pursuit // that this one takes over from, or nil
	notices  *notices // for the callbacks, or nil
	leader   Term     // that the callbacks were told of last

	detach func() bool   // stops listening to ctx
	heard  chan struct{} // closed when the callbacks have been told all

	stop atomic.Bool
	done chan struct{} // closed when it has ended
}

func (p *pursuit) end() {
	p.stop.Store(true)
	p.nudge()
}

// turn goes on with the pursuit until it has to wait.
func (p *pursuit) turn() {
	if p.watch == nil && !p.enter() {
		return
	}
	if call, r := p.received(); call != nil {
		p.hear(r)
	}
	if p.stop.Load() {
		p.finish()
		return
	}
	now := p.opts.clock.Now()
	p.attend()
	p.tell(now.Mono)
	p.rest(p.plan(now))
}

// enter begins the pursuit once the one before it has ended, and says whether it
// has.
func (p *pursuit) enter() bool {
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
		p.heard = make(chan struct{})
		go func() {
			defer close(p.heard)
			p.opts.callbacks.listen(p.notices)
		}()
	}
	p.open(p.ctx, p.opts.clock.Now().Mono, p.interval)
	return true
}

// finish ends what belongs to the pursuit, waits for it, and closes the channels.
func (p *pursuit) finish() {
	watched := p.watch.Close()
	if p.call != nil {
		p.call.cancel()
	}
	<-watched
	p.of.forget(p)
	p.stream.end(nil)
	if p.notices != nil {
		p.notices.close()
		<-p.heard
	}
	p.detach()
	p.last()
	close(p.done)
}

// plan begins a look where one is due, and returns until when to wait.
func (p *pursuit) plan(now clock.Instant) time.Duration {
	until := never
	if h := p.of.heard.Load(); h != nil {
		until = h.until
	}
	limit := min(max(p.interval(), MinTTL), DefaultCallTimeout)
	switch {
	case p.call != nil:
		return min(until, p.late(now.Mono, limit))
	case now.Mono < p.notBefore:
		return min(until, p.notBefore)
	case !p.sight.Known || p.hinted || now.Mono >= p.poll:
		p.look(p.ctx, now, limit)
		return min(until, p.late(now.Mono, limit))
	}
	return min(until, p.poll)
}

// interval is how long this follower goes without looking.
func (p *pursuit) interval() time.Duration {
	d := followerRetry
	if p.opts.retrySet {
		d = p.opts.retry
	}
	if h := p.of.heard.Load(); h != nil && (!p.opts.retrySet || h.term.TTL/3 < d) {
		d = h.term.TTL / 3
	}
	return d
}

// hear takes in what a look found.
func (p *pursuit) hear(r result) {
	now := p.opts.clock.Now().Mono
	ok, changed := p.looked(r, now, p.interval())
	if !ok {
		return
	}
	p.fails = 0
	rec := p.sight.Rec
	switch {
	case !changed:
	case rec.Held():
		margin := p.opts.margin
		if !p.opts.marginSet {
			margin = rec.TTL() / 5
		}
		p.of.heard.Store(&hearing{termOf(rec), now + rec.TTL() + margin})
		p.poll = min(p.poll, now+p.opts.pollAfter(p.interval())) // the TTL is known by now
	case p.sight.Pair != nil:
		p.of.heard.Store(nil)
	}
	// A record that has vanished says nothing: its leader may still lead.
	if changed && p.notices != nil {
		s := standing(rec, p.key)
		s.Left = p.sight.Left(now)
		p.notices.stands(s)
	}
}

// tell passes on who leads, as of now.
func (p *pursuit) tell(now time.Duration) {
	h := p.of.heard.Load()
	if h != nil && now >= h.until {
		h = nil
		p.of.heard.Store(nil)
	}
	var t Term
	if h != nil {
		t = h.term
	} else if p.sight.Known {
		t.Last = endingOf(p.sight.Rec.Ended())
	}
	p.stream.set(t.Leader)
	if p.notices != nil && p.sight.Known && !t.same(p.leader) {
		p.leader = t
		p.notices.leads(t.clone())
	}
}
