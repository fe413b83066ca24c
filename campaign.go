package leadership

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/register"
	"github.com/seed-a1d591d3/leadership/store"
)

type electionStream = stream[*lease, bool]

// campaign is one run of a candidate, by turns that take one step after another
// and do not block, but for the last. What may be called from other goroutines says so.
type campaign struct {
	seat
	by       *Candidate
	ctx      context.Context                   // for its values only
	previous *campaign                         // that has to end first, or nil
	work     func(context.Context, Term) error // nil but in Run
	culprit  any                               // the function that a log names, where work does not return
	streams  bool                              // has streams, which can be handed over

	listeners []*notices
	callbacks *notices      // of the candidate's callbacks, one of the listeners, or nil
	heard     chan struct{} // closed when the callbacks have been told all
	leader    Term          // that the listeners were told of last
	health    health
	sick      outage // of the health check

	lease               *lease          // of the term we lead or are winding up, or nil
	working             bool            // the work of that term has not returned
	sent                []uint64        // the beats of our writes that may stand in the store
	acked               attempt         // the last of them that the store acknowledged (S5)
	took                time.Duration   // how long the store takes, at most, by the last calls
	beat                uint64          // of our last attempt
	over                uint64          // the highest token of a term of ours that is over
	unknown             bool            // a put of ours may have happened or not (S5)
	fresh               bool            // the record was looked at just now
	vacating            bool            // a record of ours is to be given up
	reason              election.Reason // why
	overSince, patience time.Duration   // since when work has been overdue, and how long it may be
	yield               time.Duration   // how much longer to leave a vacant seat to others, unless another leads first
	resting             time.Duration   // no claim before this
	enlisting           time.Duration   // when to enter ourselves among those that wait, or never
	enlistRefused       int             // how often that was refused
	endBy               time.Duration   // when a campaign that ends stops tidying up
	check               *store.KVPair   // a write whose index a look has to confirm (S10)
	doubted             bool            // the index of a write was not confirmed once
	err                 error           // what ended the campaign, other than a stop
	panicked            *PanicError     // the same, if the work has panicked
	informed            atomic.Bool     // the record has been seen

	stopping atomic.Pointer[error] // why the campaign is to end
	done     chan struct{}         // closed when it has ended

	mu       sync.Mutex
	stream   *electionStream   // nil in Run
	attached []*electionStream // to take over from stream, in order
	detach   func() bool       // stops listening to the stream's context
	ended    bool              // takes no more streams
	worked   []outcome         // of the work
}

// attempt is a put of a claim or renewal that was acknowledged.
type attempt struct {
	beat  uint64
	start clock.Instant
}

// due is when the campaign has to look after something other than the record.
func (c *campaign) due(now clock.Instant) time.Duration {
	at := c.health.due()
	switch l := c.lease; {
	case l == nil:
	case !l.over():
		if due := c.opts.schedule.due(l.began, now); due != never {
			at = min(at, later(now.Mono, due))
		}
	case c.working:
		at = min(at, c.overSince+c.patience)
	}
	return at
}

// refusals is how many puts in a row may be refused without a word, though
// the record does not change: more than a race would explain.
const refusals = 3

// leastPause is the shortest pause between two tries on a store that fails, while
// a term stands: a 75th of the TTL, but no more than this.
const leastPause = 200 * time.Millisecond

// maxSent is how many writes that may stand are remembered.
const maxSent = 64

type step int

const (
	stepWait step = iota
	stepLook
	stepClaim
	stepRenew
	stepVacate
	stepEnlist
	stepEnd
)

// stop ends the campaign, for the first reason that is given. It does not
// block; safe for concurrent use.
func (c *campaign) stop(why error) {
	if c.stopping.CompareAndSwap(nil, &why) {
		if l := c.by.lease.Load(); l != nil {
			l.end(why)
		}
		c.nudge()
	}
}

// turn goes on with the campaign until it has to wait.
func (c *campaign) turn() {
	if c.watch == nil && !c.enter() {
		return
	}
	if call, r := c.received(); call != nil {
		c.returned(call, r)
	}
	for {
		if c.ending() {
			c.watch.Close() // which takes its time to end
		}
		now := c.opts.clock.Now()
		c.attend()
		c.handOver()
		c.checkHealth(now.Mono)
		c.stepDown(now)
		c.windUp(now.Mono)
		c.announce(now.Mono)
		do, until := c.plan(now.Mono)
		switch do {
		case stepLook:
			if limit := c.limit(); limit > 0 {
				c.look(c.ctx, now, limit)
			}
		case stepClaim:
			c.put(now, "claim", c.claim(now))
		case stepRenew:
			c.put(now, "renew", c.renewal())
		case stepVacate:
			c.put(now, "vacate", c.sight.Rec.Vacated(c.nextBeat(), c.reason))
		case stepEnlist:
			c.put(now, "enlist", c.sight.Rec.JoinList(c.by.node, c.opts.priority))
		case stepEnd:
			c.finish()
			return
		case stepWait:
			c.fresh = false
			c.rest(min(until, c.due(now)))
			return
		}
	}
}

// plan says what to do at now, a reading of the monotonic clock, and, where
// that is to wait, until when unless something happens.
func (c *campaign) plan(now time.Duration) (step, time.Duration) {
	if c.ending() && c.lease == nil {
		if c.endBy == never {
			c.endBy = now + c.by.ttl
		}
		written := c.unknown || c.sight.mine() || c.call != nil && c.call.puts
		if c.err != nil && errors.Is(c.err, ErrUnsafeStore) || c.foreign || !written || now >= c.endBy {
			return stepEnd, 0
		}
	}
	if c.call != nil {
		return stepWait, min(c.late(now, c.by.limit), c.deadline())
	}
	if now < c.notBefore {
		return stepWait, min(c.notBefore, c.deadline())
	}
	switch {
	case c.lease != nil && c.lease.over():
		return stepWait, never // for the work to return
	case c.lease != nil:
		renewAt := c.lease.start.Load().Mono + c.opts.renew
		switch {
		case c.unknown:
			return stepLook, 0
		case !c.sight.mine() || now >= renewAt:
			return stepRenew, 0
		case c.hinted:
			return stepLook, 0
		}
		return stepWait, renewAt
	case c.unknown:
		return stepLook, 0
	case (c.ending() || c.vacating || c.sight.Rec.Ask.Pauses() || !c.health.well()) && c.sight.mine() && !c.foreign:
		return stepVacate, 0
	}
	c.vacating = false
	free := max(c.sight.free()+c.yield, c.resting)
	able := c.sight.Known && !c.foreign && !c.sight.Rec.Ask.Pauses() && c.health.well()
	claimable := able && now >= free
	switch {
	case claimable && c.fresh:
		return stepClaim, 0
	case claimable || !c.sight.Known || c.hinted || now >= c.poll:
		return stepLook, 0
	case able && now >= c.enlisting && now < c.sight.lives:
		return stepEnlist, 0
	case !able:
		return stepWait, c.poll
	}
	if now < c.enlisting {
		return stepWait, min(c.poll, free, c.enlisting)
	}
	return stepWait, min(c.poll, free)
}

// ending says whether the campaign is to end.
func (c *campaign) ending() bool { return c.err != nil || c.stopping.Load() != nil }

// deadline is when a campaign that is ending stops waiting.
func (c *campaign) deadline() time.Duration {
	if c.ending() && c.lease == nil {
		return c.endBy
	}
	return never
}

// claim is the record of a new term of ours.
func (c *campaign) claim(now clock.Instant) election.Record {
	c.reason = election.Resigned
	c.by.token = election.NextToken(max(c.by.token, c.sight.High), now.Time())
	last := c.sight.Rec.Ended()
	if c.sight.mine() && c.sight.Rec.Token > c.over {
		last = c.sight.Rec.Last // a claim that was not acknowledged was no term (S5)
	}
	if c.by.token <= c.over { // they begin anew
		c.over = c.by.token - 1
	}
	return election.Record{
		Leader: c.by.node, Instance: c.sight.by.Instance,
		Token: c.by.token, Millis: c.by.ttl.Milliseconds(), Beat: c.nextBeat(),
		Since: now.Time().UTC().Truncate(time.Millisecond), Payload: c.opts.payload,
		Last: last, Waiting: c.sight.Rec.DropAhead(c.by.node, c.opts.priority),
	}
}

// renewal is the record of the term that we lead, once more.
func (c *campaign) renewal() election.Record {
	r := c.lease.record
	r.Beat = c.nextBeat()
	if c.sight.mine() && c.sight.Rec.Token == r.Token { // what others have added to it
		r.Waiting, r.Ask = c.sight.Rec.Waiting, c.sight.Rec.Ask.AfterRenewal(c.by.node)
		c.lease.record = r
	} else if c.sight.Pair != nil && !c.sight.Rec.Held() {
		r.Ask = c.sight.Rec.Ask // of one who found no record
	}
	return r
}

func (c *campaign) nextBeat() uint64 {
	c.beat = election.NextBeat(max(c.beat, c.sight.Rec.Beat), clock.Stride())
	return c.beat
}

// limit is how long a call that begins now is waited for. While a term stands it
// leaves time for another try, unless the store is known to take that long.
func (c *campaign) limit() time.Duration {
	if c.lease == nil {
		return c.by.limit
	}
	left := c.lease.left()
	return min(left, max(left/2, 2*c.took))
}

// hurry has the next try come soon enough after a failure, while a term stands.
func (c *campaign) hurry(now time.Duration) {
	if c.lease == nil || c.notBefore <= now {
		return
	}
	left := c.lease.left()
	if left == 0 {
		return
	}
	least := min(leastPause, c.by.ttl/75)
	after := min(c.notBefore-now, left/8-time.Duration(c.opts.clock.Float64()*float64(left)/32))
	c.notBefore = now + max(after, least)
}

// put begins to replace the record last seen by rec.
func (c *campaign) put(now clock.Instant, op string, rec election.Record) {
	limit := c.limit()
	if limit == 0 {
		return // the trust has run out
	}
	if rec.Instance == c.sight.by.Instance {
		if len(c.sent) == maxSent {
			c.sent = slices.Delete(c.sent, 1, 2) // the first may be the one that stands
		}
		c.sent = append(c.sent, rec.Beat)
	}
	previous := c.sight.Pair
	call := c.start(c.ctx, op, now, limit, func(ctx context.Context) result {
		value := rec.Encode()
		r := put(ctx, c.kv, c.key, value, previous)
		r.wrote = value
		return r
	})
	call.puts, call.rec = true, rec
}

// returned takes in the result of a call.
func (c *campaign) returned(call *call, r result) {
	now := c.opts.clock.Now().Mono
	defer func() { c.hurry(now) }()
	if r.err == nil {
		c.took = max(now-call.start.Mono, c.took/2)
	}
	if !call.puts {
		c.lookedAt(r, now)
		return
	}
	if r.err == nil {
		c.answered("put", now)
		c.notBefore = now
		if call.rec.Instance == c.sight.by.Instance {
			c.acked = attempt{call.rec.Beat, call.start}
		}
		if c.by.verified && bytes.Equal(r.pair.Value, r.wrote) {
			c.fails = 0
			c.sight.see(r.pair, call.rec, now)
			if call.rec.Instance == c.sight.by.Instance {
				c.sent = []uint64{call.rec.Beat} // the others can no longer succeed
			}
			c.settle(now)
			return
		}
		// Not every store returns what it wrote, and one that is not known to
		// compare and swap has to show that its indexes hold.
		c.unknown, c.check = true, r.pair
		return
	}
	// The first failure is followed by a look at once: it is most often a
	// race that was lost.
	c.unknown = true
	c.fails++
	if c.fails > 1 {
		c.notBefore = now + c.opts.backoff(c.fails-1, min(c.opts.retry, maxBackoff))
	}
	if call.op == "enlist" {
		c.enlisting = never
		c.enlistRefused++
	}
	if !register.Refused(r.err) || c.fails > refusals {
		c.trouble("put", r.err, now)
	}
}

// lookedAt takes in the result of a look.
func (c *campaign) lookedAt(r result, now time.Duration) {
	if r.foreign != nil && c.lease != nil {
		c.lease.end(fmt.Errorf("%w: %w", ErrLost, ErrForeignRecord))
		c.windUp(now) // before the error is told
	}
	ok, changed := c.looked(r, now, c.opts.retry)
	if !ok {
		c.unknown = c.unknown && !c.foreign
		return
	}
	ours := c.wrote(r.rec) // and not acknowledged, where it is unknown
	if changed && !ours || !c.unknown {
		c.fails = 0
	}
	switch {
	case !changed: // what was to replace it may yet succeed
	case ours:
		c.sent = []uint64{r.rec.Beat} // the others can no longer succeed
	case r.rec.Instance != c.sight.by.Instance:
		c.sent = nil // they were to replace what is gone
	}
	c.fresh = true
	switch {
	case c.check == nil:
	case changed: // what was acknowledged, or what came after it
		c.fails = 0
	default: // it was acknowledged, and is nowhere to be seen
		c.fails++
		c.notBefore = now + c.opts.backoff(c.fails, min(c.opts.retry, maxBackoff))
	}
	if c.confirm(r.pair) {
		c.settle(now)
	}
	if err := foreign(c.sight.Rec.Followed()); err != nil && !c.sight.mine() {
		c.foreign = true
		c.failed(fmt.Errorf("leadership: key %q: %w", c.key, err), now, c.opts.retry)
	}
}

// confirm holds the index that a write returned against the one that a read
// found (S10). It says whether the record that was found can be believed. It
// takes two writes in a row to condemn a store: after one, an operator may have
// written the same value again.
func (c *campaign) confirm(found *store.KVPair) bool {
	wrote := c.check
	c.check = nil
	if c.by.verified || wrote == nil || found == nil || !bytes.Equal(found.Value, wrote.Value) {
		return true
	}
	if c.by.verified = found.LastIndex == wrote.LastIndex; c.by.verified {
		return true
	}
	if c.unknown = false; !c.doubted {
		c.doubted = true
		return false
	}
	c.err = unsafeStore(c.key, wrote, found)
	if c.lease != nil {
		c.lease.end(c.err)
	}
	return false
}

// settle draws the conclusions from a record that was just seen.
func (c *campaign) settle(now time.Duration) {
	c.unknown = false
	rec, l := c.sight.Rec, c.lease
	stands := l != nil && !l.over()
	older := stands && (c.sight.Pair == nil || rec.Token < l.term.Token ||
		rec.Token == l.term.Token && rec.Instance == c.sight.by.Instance && rec.Beat < c.acked.beat)
	if c.sight.mine() && !c.wrote(rec) && !older {
		c.copied()
		return
	}
	switch {
	case c.sight.mine() && !older:
		switch {
		case rec.Beat != c.acked.beat: // it has yet to be acknowledged (S5)
		case l == nil:
			c.begin(rec, c.acked.start)
		case l.term.Token == rec.Token:
			l.renewed(c.acked.start)
		}
	case !stands:
	case older:
		c.report(fmt.Errorf("leadership: key %q: %w: writing the record of term %d again", c.key, ErrRecordLost, l.term.Token))
	default:
		l.end(fmt.Errorf("%w: the record is now of term %d", ErrLost, rec.Token))
	}
	if c.sight.mine() {
		if !stands || rec.Token == l.term.Token {
			c.heed(rec.Ask)
		}
	} else if rec.Token > c.over {
		c.yield = 0 // somebody else leads, or has led, since we resigned
	}
	c.appoint(now)
}

// wrote reports whether this process may have written rec.
func (c *campaign) wrote(rec election.Record) bool {
	return rec.Instance == c.sight.by.Instance && rec.Held() && (rec.Beat == c.acked.beat || slices.Contains(c.sent, rec.Beat))
}

// copied ends a term, or claim, that another process takes for its own: one with
// the same memory, as that of a machine that was cloned, or restored from a
// snapshot. The campaign goes on as somebody else, for whom the other is a rival.
func (c *campaign) copied() {
	why := fmt.Errorf("%w: the record of term %d is not as this process wrote it: it was put back to an older state, or is renewed by a copy of this machine",
		ErrLost, c.sight.Rec.Token)
	if c.lease != nil {
		c.lease.end(why)
	}
	c.report(fmt.Errorf("leadership: key %q: %w", c.key, why))
	c.sent = nil
	c.sight.by.Instance = rand.Text()
}

// finish ends what belongs to the campaign, waits for it, and closes the
// channels.
func (c *campaign) finish() {
	if c.call != nil {
		c.call.cancel()
		go c.release(c.call)
	}
	watched := c.watch.Close()
	c.health.end()
	<-watched
	c.dismiss()
	c.endStreams()
	c.last()
	close(c.done)
}

// release waits for a call that was abandoned, and gives up what it may have
// claimed (S5). It outlives the campaign, by as long as the store takes to
// return from the call.
func (c *campaign) release(call *call) {
	<-call.result
	if !call.puts {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), c.by.ttl)
	defer cancel()
	for range refusals {
		found := look(ctx, c.kv, c.key)
		rec := found.rec // the zero record where there is none of an election
		if !c.wrote(rec) {
			return
		}
		if r := put(ctx, c.kv, c.key, rec.Vacated(election.NextBeat(rec.Beat, clock.Stride()), c.reason).Encode(), found.pair); !register.Refused(r.err) {
			return
		}
	}
}

// appoint chooses when the campaign enters itself among those that wait.
func (c *campaign) appoint(now time.Duration) {
	switch {
	case !c.sight.unlisted():
		c.enlisting, c.enlistRefused = never, 0
	case c.enlisting == never || now >= c.sight.lives:
		// Not all at once: the leader's renewals would be refused.
		spread := c.by.ttl << min(c.enlistRefused, 4)
		c.enlisting = max(now+c.yield, c.resting) + time.Duration(c.opts.clock.Float64()*float64(spread))
	}
}
