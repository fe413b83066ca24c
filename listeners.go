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
	"github.com/seed-a1d591d3/leadership/internal/relay"
)

// electionStream is the pair of channels that RunForElection returned.
type electionStream = relay.Stream[*term, bool]

// streams are those of a campaign: the one that it serves, and those to take over from
// it. What follows mu may be used by any goroutine, under it.
type streams struct {
	used bool // it has streams, which can be handed over

	mu       sync.Mutex
	current  *electionStream   // nil in Run; only the campaign's steps change it
	attached []*electionStream // to take over from it, in order
	detach   func() bool       // stops listening to the stream's context
	ended    bool              // takes no more streams
}

// wake has the present stream look at its term.
func (s *streams) wake() {
	s.mu.Lock()
	current := s.current
	s.mu.Unlock()
	if current != nil {
		current.Wake()
	}
}

// attach gives the campaign a stream to serve instead of its present one, and a context
// to obey instead of that one's. It returns false if the campaign is about to end, or
// has. Safe for concurrent use.
func (c *campaign) attach(ctx context.Context, stream *electionStream) bool {
	s := &c.streams
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || c.stopping.Load() != nil || s.detach != nil && !s.detach() {
		return false
	}
	s.detach = context.AfterFunc(ctx, func() { c.stop(context.Cause(ctx)) })
	if stream != nil {
		s.attached = append(s.attached, stream)
		c.on.loop.Wake()
	}
	return true
}

// running reports whether the campaign goes on. Safe for concurrent use.
func (c *campaign) running() bool {
	c.streams.mu.Lock()
	defer c.streams.mu.Unlock()
	return !c.streams.ended && c.stopping.Load() == nil
}

// handOver serves the stream that was attached last.
func (c *campaign) handOver() {
	s := &c.streams
	s.mu.Lock()
	all := s.attached
	s.attached = nil
	if len(all) > 0 {
		if s.current != nil {
			all = append([]*electionStream{s.current}, all...)
		}
		s.current = all[len(all)-1]
	}
	s.mu.Unlock()
	if len(all) == 0 {
		return
	}
	for _, old := range all[:len(all)-1] {
		old.Set(nil)
		old.End(nil)
	}
	var t *term
	if c.machine != nil { // until it has begun, the term is of the campaign before
		t = c.by.term.Load()
	}
	s.current.Set(t)
}

// endStreams closes the channels. No stream can be attached afterwards.
func (c *campaign) endStreams() {
	s := &c.streams
	s.mu.Lock()
	s.ended = true
	all := s.attached
	s.attached = nil
	if s.current != nil {
		all = append(all, s.current)
	}
	detach := s.detach
	s.mu.Unlock()
	detach()
	for _, stream := range all {
		stream.End(c.err)
	}
}

// problem logs err and tells the listeners.
func (c *campaign) problem(err error) {
	c.on.warn(c.on.opts.word("election", "session"), err, "node", c.by.node)
	if s := c.streams.current; s != nil {
		s.Report(err)
	}
	for _, n := range c.audience.listeners {
		n.failed(err)
	}
}

// audience are the listeners of a campaign, apart from its streams.
type audience struct {
	listeners []*notices
	informed  atomic.Bool   // the record has been seen
	told      chan struct{} // closed when the callbacks have been told all; nil without
	leader    *Term         // that the listeners were told of last; nil without
}

// open begins to tell the callbacks, and signals, if not nil.
func (a *audience) open(callbacks Callbacks, signals *notices) {
	if signals != nil {
		a.listeners = append(a.listeners, signals)
	}
	if !callbacks.none() {
		n := newNotices()
		a.listeners, a.told = append(a.listeners, n), make(chan struct{})
		go func() {
			defer close(a.told)
			callbacks.listen(n)
		}()
	}
	if len(a.listeners) > 0 {
		a.leader = new(Term)
	}
}

func (a *audience) began(t *term) {
	for _, n := range a.listeners {
		n.began(t)
	}
}

func (a *audience) ended(t *term, why error) {
	for _, n := range a.listeners {
		n.ended(t, why)
	}
}

// dismiss tells the listeners how it ends, and waits for the callbacks.
func (c *campaign) dismiss() {
	for _, n := range c.audience.listeners {
		if c.err != nil {
			n.failed(c.err)
		}
		n.close()
	}
	if c.audience.told != nil {
		<-c.audience.told
	}
}

// announce tells the listeners who leads, where that has changed.
func (c *campaign) announce(now time.Duration) {
	view, a := c.machine.View(), &c.audience
	if !view.Known {
		return
	}
	a.informed.Store(true)
	var leader Term
	rival := false
	switch t := c.by.term.Load(); {
	case t != nil && t.lease.Over():
		return // it keeps the seat while its record stands
	case t != nil:
		leader = t.now()
	case c.machine.Mine(): // it is about to be given up
		leader.Last = Ending{c.by.node, view.Rec.Token, string(c.machine.Leaving())}
	case view.Rec.Held() && view.Left(now) > 0:
		leader, rival = termOf(view.Rec), true
	default:
		leader.Last = endingOf(view.Rec.LastEnding())
	}
	c.by.follow(rival, leader.Leader)
	if len(a.listeners) == 0 || leader.same(*a.leader) {
		return
	}
	*a.leader = leader
	for _, n := range a.listeners {
		n.leads(leader.clone())
	}
}

// follow notes which other node leads, if one does.
func (c *Candidate) follow(rival bool, name string) {
	before := c.rival.Load()
	switch {
	case !rival && before == nil, rival && before != nil && *before == name:
		return
	case rival:
		c.rival.Store(&name)
	default:
		c.rival.Store(nil)
	}
	c.news.Ring()
}

// Changes campaigns as RunForElection does, for a range loop: it yields what the channels would
// tell, in the order of each. Where the error is not nil, nothing else has changed, and the bool
// is the one before. Leaving the loop ends the campaign, as the end of ctx does; it then blocks
// until the seat has been given up.
//
//	for leads, err := range candidate.Changes(ctx) {
func (c *Candidate) Changes(ctx context.Context) iter.Seq2[bool, error] {
	return relay.Changes(ctx, c.RunForElection)
}

// errHanging means that a check has not returned in time.
var errHanging = errors.New("the check has not returned")

// health is what a campaign knows of its own health, where that is checked. Only its
// steps touch it.
type health struct {
	healthOptions
	passed bool          // a check has passed
	failed int           // checks failed in a row
	next   time.Duration // when the next is due, on the monotonic clock

	result chan error // of the check under way, or nil
	late   bool       // it has been judged already
	sick   outage
	cancel context.CancelFunc // ends its context
}

// step takes in the check that has returned, and begins another where one is
// due. It returns what went wrong, if something did just now. returned is
// called when a check returns; its context is made of ctx.
func (h *health) step(ctx context.Context, now time.Duration, returned func()) error {
	if h.result != nil {
		select {
		case err := <-h.result:
			h.result = nil
			if !h.late {
				return h.judge(err)
			}
			h.next = now // what it says is of long ago
		default:
		}
	}
	if now < h.next {
		return nil
	}
	h.next = clock.Later(now, h.every)
	if h.result != nil {
		h.late = true
		h.cancel()
		return h.judge(errHanging)
	}
	result := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	h.result, h.late, h.cancel = result, false, cancel
	go func() {
		err := errHanging // what runtime.Goexit is taken to return
		defer func() {
			cancel()
			result <- err
			returned()
		}()
		err = h.probe(ctx)
	}()
	return nil
}

func (h *health) judge(err error) error {
	if err == nil {
		h.passed, h.failed = true, 0
		return nil
	}
	h.failed++
	return fmt.Errorf("health check failed, %d in a row: %w", h.failed, err)
}

// well reports whether the candidate may claim the seat.
func (h *health) well() bool { return h.passed && h.failed == 0 }

// ill reports whether a leader is to step down.
func (h *health) ill() bool { return h.failed >= h.failures }

// due returns when step is to be called next. h may be nil.
func (h *health) due() time.Duration {
	if h == nil {
		return clock.Never
	}
	return h.next
}

// end ends the context of a check that is under way. h may be nil.
func (h *health) end() {
	if h != nil && h.result != nil {
		h.cancel()
	}
}
