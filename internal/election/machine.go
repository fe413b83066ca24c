package election

import (
	"slices"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/indexes"
	"github.com/seed-a1d591d3/leadership/store"
)

const (
	// Refusals is how many writes in a row may be refused without a word, though the
	// record does not change: more than a race would explain.
	Refusals = 3

	// MaxBackoff is the longest wait between tries while the store fails, though the
	// retry interval be longer.
	MaxBackoff = 5 * time.Second

	// leastPause is the shortest pause between two tries on a store that fails, while
	// a term stands: a 75th of the TTL, but no more than this.
	leastPause = 200 * time.Millisecond

	// maxSent is how many writes that may stand are remembered.
	maxSent = 64
)

// Config is what machines are made for. Those of many candidates may share one.
type Config struct {
	Trust    time.Duration // for how long an acknowledged write is trusted, from its start on (S1)
	Renew    time.Duration // how long after the start of a renewal the next is due
	Retry    time.Duration // how long to go without a look
	Limit    time.Duration // how long a call is waited for, at most
	Schedule Schedule      // when a term is relinquished

	// Rides means that terms ride on sessions, of which Ride tells. Then a term is not
	// renewed, but looked at; Trust is for how long it is trusted after each look that
	// has found it, if the session is trusted that long.
	Rides bool

	// Once means that the campaign ends with its first term, as that of a session: what
	// has ended is never begun again (S11).
	Once bool
	Dice
}

// Dice are the chances that a Machine takes.
type Dice struct {
	Float64  func() float64 // in [0, 1)
	Stride   func() uint32  // see NextBeat
	Instance func() string  // another instance
}

// Issued is what the campaigns of one candidate know of earlier ones.
type Issued struct {
	Token uint64        // the highest that was issued
	Proof indexes.Proof // of the store
}

// Machine is one campaign of a candidate: what it knows, and what it does next. It is
// a state machine without goroutines, clock or store: its driver tells it what has
// happened, each time with the instant, acts on the events that follow, asks for the
// next Step, and takes that. Of its calls of the store one is under way at a time (S6).
//
// It does not say who leads: that only the lease does, which the driver begins, renews
// and ends as the events say. That a lease is over the driver tells by Over.
type Machine struct {
	cfg    *Config
	by     Claimant
	issued *Issued
	view   View[Record]

	works   bool // see NewMachine
	foreign bool // what is stored is no record of an election
	health  health
	call    *call
	calls   pace
	writes  writes
	term    term
	leave   leave
	list    joining
	stop    stopping
	events  []Event
}

// call is one call of the store under way.
type call struct {
	step  Step
	start clock.Instant // read before the call was made (S1)
}

// pace is when the next call may be made, and when it has to be.
type pace struct {
	fails     int           // failed calls in a row
	notBefore time.Duration // no call before this, after failures
	poll      time.Duration // when to look next, though nothing hints at it
	looked    time.Duration // when a look has shown what is stored
	took      time.Duration // how long the store takes, at most, by the last calls
	quick     time.Duration // how long it takes if nothing is in the way
	hinted    bool          // the watch showed something that is not known
	fresh     bool          // the record was looked at just now
	race      race
}

// writes are what the candidate has written, or may have.
type writes struct {
	unknown bool          // a write may have happened or not (S5)
	sent    []uint64      // the beats of writes that may stand in the store
	acked   attempt       // the last of them that the store acknowledged (S5)
	beat    uint64        // of the last attempt
	check   *store.KVPair // a write whose index a look has to confirm (S10)
}

// attempt is a write of a claim or renewal that was acknowledged.
type attempt struct {
	beat  uint64
	start clock.Instant
}

// term is the one that is led, or wound up. The zero value is none.
type term struct {
	rec     Record
	began   clock.Instant // the start of the attempt that claimed it
	start   clock.Instant // the start of the attempt that renewed it last
	over    bool          // its lease has ended, because of leave.reason
	working bool          // its work has not returned
}

// leave is what holds after a term.
type leave struct {
	endedToken uint64        // the highest token of a term that is over
	vacating   bool          // the record is to be given up
	reason     Reason        // why
	notBefore  time.Duration // no claim before this
}

// joining is when the candidate enters itself among those that wait.
type joining struct {
	at      time.Duration // or clock.Never
	refused int           // how often that was refused
	lives   time.Duration // until when the holder counts as one that lives: it was seen to renew
}

type health struct{ well, ill bool }

// stopping is how a campaign ends.
type stopping struct {
	begun  bool
	unsafe bool          // the store does not compare and swap: nothing more is written
	by     time.Duration // when to stop tidying up
}

// NewMachine makes the machine of a campaign of by that begins at now. works says that each
// term has work, which has to return before the seat is given up (S8). issued is what the
// campaigns of one candidate share.
func NewMachine(cfg *Config, by Claimant, works bool, issued *Issued, now time.Duration) *Machine {
	return &Machine{
		cfg: cfg, by: by, works: works, issued: issued, calls: pace{notBefore: now, poll: now},
		leave: leave{reason: Resigned, notBefore: now}, list: joining{at: clock.Never}, stop: stopping{by: clock.Never},
	}
}

// View returns what the machine has seen. The caller must not change it.
func (m *Machine) View() *View[Record] { return &m.view }

// Mine reports whether the record names this campaign as the holder. MayHaveWritten tells
// whether that is by a write of its own.
func (m *Machine) Mine() bool { return m.view.Rec.Held() && m.view.Rec.Instance == m.by.Instance }

// Instance returns the instance of this campaign, which is another after a copy of it was seen.
func (m *Machine) Instance() string { return m.by.Instance }

// MayHold reports whether the record may be of a term of this campaign, that is its own to give
// up: one that rides on an earlier session may be that of a copy.
func (m *Machine) MayHold() bool { return m.writes.unknown || m.by.holds(m.view.Rec) }

// Leaving returns why the record of this campaign is about to be given up.
func (m *Machine) Leaving() Reason { return m.leave.reason }

// EventKind is a kind of Event.
type EventKind int

// The kinds of events.
const (
	// Began means that the term of Record has begun. Its trust runs from Start.
	Began EventKind = iota
	// Renewed means that the trust of the term runs from Start now.
	Renewed
	// EndLease asks for the end of the lease, because of Cause.
	EndLease
	// WoundUp means that the term is wound up: it is over, and its work has returned.
	WoundUp
	// Changed means that another record was found, or written, than the one before.
	Changed
	// Failed asks for a report of the failure of the call that has just returned.
	Failed
	// Rewriting means that the record of the term is gone, and will be written again.
	Rewriting
	// Copied means that another process writes as this campaign's instance.
	Copied
	// Unfollowed means that no token can follow that of the record.
	Unfollowed
	// Condemned means that the store does not compare and swap, as Wrote and Found show.
	Condemned
)

// Cause is why a machine asks for the end of a lease. Reason is what the record tells of it.
type Cause int

// The causes. ByRequest has a Request, LostTo a Record.
const (
	LostTo Cause = iota + 1
	LostToForeign
	LostToCopy
	ByRequest
	ByHealth
	BySchedule
)

// Event is something for the driver to do, or to tell. Which fields are set goes by its
// kind.
type Event struct {
	Kind         EventKind
	Record       Record
	Start        clock.Instant
	Cause        Cause
	Request      *Request
	Wrote, Found *store.KVPair
}

// Events returns the events since it was called last, in order.
func (m *Machine) Events() []Event {
	events := m.events
	m.events = nil
	return events
}

func (m *Machine) tell(e Event) { m.events = append(m.events, e) }

// Hint tells what a watch showed, nil for no record, the time after it had come, and how to
// parse it. It is to be told while no call is under way, whose answer may be what the hint is
// about. To a candidate that waits for another's term to end a pair with a higher index is as good as a look, except that it
// claims only what it has looked at: a watch that is behind makes it wait longer, but no
// longer than a TTL without a look.
func (m *Machine) Hint(pair *store.KVPair, came time.Duration, parse func() (Record, error)) {
	if !m.view.Differs(pair) {
		return
	}
	m.calls.hinted = true
	if pair == nil {
		return
	}
	rec, err := parse()
	switch ours := rec.Instance == m.by.Instance; {
	case err != nil:
	case ours && m.Mine() && rec.Beat <= m.view.Rec.Beat && rec.Ask.Same(m.view.Rec.Ask):
		// What we wrote ourselves may be shown to us late; but a request that was
		// added to it is news.
		m.calls.hinted = false
	case ours || m.Mine() || m.hasTerm() || m.writes.unknown || m.foreign || rec.Session != "" || m.calls.fails > 0 || rec.Followed() != nil:
	case m.view.Pair != nil && pair.LastIndex > m.view.Pair.LastIndex && rec.Token >= m.view.Rec.Token:
		m.calls.hinted, m.calls.fresh = false, false
		m.calls.poll = min(came+PollLate(m.cfg.Float64, m.cfg.Retry), m.calls.looked+m.by.TTL)
		m.see(pair, rec, came)
		m.found(came)
	}
}

// Health tells the candidate's health: well enough to claim the seat, and too ill to keep
// it.
func (m *Machine) Health(well, ill bool) { m.health = health{well, ill} }

// Ride tells the key of the session that can be trusted, and new terms are to ride on, or
// that there is none.
func (m *Machine) Ride(session string) { m.by.Session = session }

// Tell tells the payload of the terms, which must not be changed. A term that stands is
// renewed at once where it has another.
func (m *Machine) Tell(payload []byte) { m.by.Payload = payload }

// Stop tells that the campaign is to end.
func (m *Machine) Stop() { m.stop.begun = true }

// Tick looks after what goes by the time, and by health. It is to be called before Step.
func (m *Machine) Tick(now clock.Instant) {
	switch {
	case !m.leading():
	case m.health.ill:
		m.tell(Event{Kind: EndLease, Cause: ByHealth})
	case m.cfg.Schedule.Due(m.term.began, now) <= 0:
		m.tell(Event{Kind: EndLease, Cause: BySchedule})
	}
}

// hasTerm reports whether there is a term, even if it is over and not wound up yet.
func (m *Machine) hasTerm() bool { return m.term.rec.Token != 0 }

// leading reports whether there is a term that is not over, as far as the driver has told.
func (m *Machine) leading() bool { return m.hasTerm() && !m.term.over }

// Over tells that the lease is over. The record is to tell the reason: Expired where the
// term was lost, and the record is not ours to give up.
func (m *Machine) Over(reason Reason) {
	if !m.leading() {
		return
	}
	m.term.over, m.leave.reason = true, reason
	m.windUp()
}

// Worked tells that the work of the term has returned.
func (m *Machine) Worked(now time.Duration) {
	if m.leading() {
		// Were the next claim allowed as soon as somebody else has led, nodes whose
		// work is short would elect each other as fast as the store can.
		m.leave.notBefore = now + m.pollAfter(m.cfg.Retry)
	}
	m.term.working = false
	m.windUp()
}

// windUp ends a term that is over, once its work has returned (S8).
func (m *Machine) windUp() {
	t := m.term
	if !m.hasTerm() || !t.over || t.working {
		return
	}
	m.term = term{}
	m.tell(Event{Kind: WoundUp, Record: t.rec})
	m.once(true)
	m.leave.endedToken = max(m.leave.endedToken, t.rec.Token)
	if m.leave.reason != Expired {
		m.giveUp(m.leave.reason)
	}
}

// giveUp has the record given up, and the seat left to others for a while.
func (m *Machine) giveUp(reason Reason) {
	m.leave.vacating, m.leave.reason = true, reason
	m.by.Cooldown = m.pollAfter(m.cfg.Retry)
}

// TooLate tells that the term that has just begun had run out before: the store is too
// slow for the trust.
func (m *Machine) TooLate(now time.Duration) {
	m.leave.endedToken = m.term.rec.Token
	m.leave.notBefore = now + m.backoff(1, m.cfg.Retry)
	m.term = term{}
	m.once(true)
}

// MayHaveWritten reports whether this campaign may have written rec.
func (m *Machine) MayHaveWritten(rec Record) bool {
	return rec.Held() && rec.Instance == m.by.Instance &&
		(rec.Beat == m.writes.acked.beat || slices.Contains(m.writes.sent, rec.Beat))
}

// left is for how long from now an acknowledged write is trusted yet.
func (m *Machine) left(now clock.Instant) time.Duration {
	return now.Left(m.cfg.Trust, m.term.start)
}

// pollAfter is how long to wait before the next look, where nothing calls for an
// earlier one.
func (m *Machine) pollAfter(interval time.Duration) time.Duration {
	return PollAfter(m.cfg.Float64, interval)
}

// backoff is how long to wait after the nth failure in a row.
func (m *Machine) backoff(n int, retry time.Duration) time.Duration {
	return Backoff(m.cfg.Float64, n, retry)
}

// PollAfter returns how long to wait before the next look where nothing calls for an
// earlier one: the interval, shortened by up to a fifth, at random.
func PollAfter(chance func() float64, interval time.Duration) time.Duration {
	return interval - time.Duration(chance()*float64(interval)/5)
}

// PollLate returns how long to wait before the next look after a watch has shown a change:
// until the next renewal is overdue, which the watch would have shown.
func PollLate(chance func() float64, interval time.Duration) time.Duration {
	return interval/4 + PollAfter(chance, interval)
}

// Backoff returns how long to wait after the nth failure in a row, from 1 up: doubling
// from a sixteenth of the retry interval up to the whole of it, and shortened by up to
// half, at random.
func Backoff(chance func() float64, n int, retry time.Duration) time.Duration {
	d := min(retry, retry/16<<min(n-1, 4))
	return d - time.Duration(chance()*float64(d)/2)
}
