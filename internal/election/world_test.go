package election

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/indexes"
	"github.com/seed-a1d591d3/leadership/store"
)

// The times of a world are those that a candidate of the default TTL has.
const (
	worldTTL   = 15 * time.Second
	worldTrust = 12 * time.Second
	worldRetry = 5 * time.Second // and how often to renew, and how long a call is waited for
)

// worldEpoch is what all wall clocks show at 0s, if nothing else is said: so long before
// 1970 that tokens are 1, 2, 3.
const worldEpoch = -1000 * time.Hour

// world is an election in a test: one register, the candidates that use it, and the time.
// It does what campaign.go does, but in the order that its commands give (see
// worldcommands_test.go), tells what happened in plain words (worldwords_test.go), and
// checks at every step what no history may show. Chance is always 0: waits are as long as
// they can be, and each beat follows the one before.
type world struct {
	now        time.Duration
	stored     *store.KVPair   // nil: there is no record
	history    []*store.KVPair // what was stored, oldest first
	index      uint64          // of the last write
	candidates []*candidate
	highest    uint64 // token of all terms that have begun
	leaders    string // who trusts a term

	unsafe     bool // reads show another index than that which a write returned
	down       bool // each call fails
	refusing   bool // each write is refused
	byHand     bool // each call is held up, and candidates take steps only when told to
	allowTwo   bool // two may lead at once: what the docs do not promise
	lines      []string
	acted      []*candidate // who took steps since the last command
	violations []string
	covered    map[string]bool // the kinds of steps, events and verdicts that occurred
}

// candidate is a process with one campaign at a time.
type candidate struct {
	name      string
	cfg       Config
	by        Claimant
	works     bool
	machine   *Machine
	issued    Issued
	campaigns int
	copies    int
	lease     *trusted // of the term that it leads, or winds up; or nil
	state     state
	stopping  bool
	health    health
	working   bool // the work of the term has not returned
	returned  bool // it has just returned
	hint      *hint
	until     time.Duration // when to take the next step, by its own monotonic clock

	call  *exchange // under way, or nil
	late  *exchange // left under way by a campaign that has ended, or nil
	gone  *Machine  // of that campaign
	fault fault     // what becomes of the next call
	write bool      // or of the next write

	slept time.Duration // how far the monotonic clock is behind
	epoch time.Duration // what the wall clock showed at 0s
}

// state is how a process is.
type state int

const (
	running   state = iota
	paused          // takes no steps; its clocks go on
	suspended       // takes no steps; its monotonic clock stands still
	finished        // its campaign has ended
	crashed
)

// fault is what becomes of a call.
type fault int

const (
	none     fault = iota
	failing        // it fails, and nothing has happened
	refusing       // a write is refused, whatever is stored
	losing         // a write happens, and its reply is lost
	holding        // it is under way until it is delivered and answered by hand
)

// hint is what a watch shows.
type hint struct{ pair *store.KVPair }

// exchange is one call of the store.
type exchange struct {
	step      Step
	start     clock.Instant
	delivered bool // the store has done what it was asked to
	answered  bool // the reply is there
	pair      *store.KVPair
	failed    bool
	refused   bool
}

// trusted stands for the lease of package lease.
type trusted struct {
	token  uint64
	start  clock.Instant
	over   bool
	reason Reason // why it is over
}

func newWorld() *world { return &world{covered: map[string]bool{}} }

// begin begins a campaign of a candidate.
func (w *world) begin(c *candidate) {
	c.campaigns++
	c.by.Instance = fmt.Sprintf("%s-%d", c.name, c.campaigns)
	c.state, c.stopping, c.call, c.lease, c.working, c.hint = running, false, nil, nil, false, nil
	c.machine = NewMachine(&c.cfg, c.by, c.works, &c.issued, w.clockOf(c).Mono)
	w.run(c)
}

// clockOf returns what the clocks of a candidate show.
func (w *world) clockOf(c *candidate) clock.Instant {
	return clock.Instant{Mono: w.now - c.slept, Wall: int64(w.now + c.epoch)}
}

// left returns for how long a candidate trusts its term yet, were it asked now.
func (w *world) left(c *candidate) time.Duration {
	if c.lease == nil || c.lease.over || c.state == crashed {
		return 0
	}
	return w.clockOf(c).Left(c.cfg.Trust, c.lease.start)
}

// run has a candidate take steps until it has to wait.
func (w *world) run(c *candidate) {
	if c.state != running {
		return
	}
	if !slices.Contains(w.acted, c) {
		w.acted = append(w.acted, c)
	}
	for range 1000 {
		if !w.step(c) {
			return
		}
	}
	w.violate("%s does not come to rest", c.name)
}

// step is one round of what campaign.step does. It reports whether there is another to
// take at once.
func (w *world) step(c *candidate) bool {
	w.answer(c)
	now := w.clockOf(c)
	if c.stopping {
		c.machine.Stop()
	}
	if c.hint != nil && c.call == nil {
		w.passHint(c)
	}
	c.machine.Health(c.health.well, c.health.ill)
	if c.returned {
		w.workReturned(c)
	}
	c.machine.Tick(now)
	w.follow(c)
	s := c.machine.Step(now)
	w.covered[coverDo(s.Do)] = true
	switch s.Do {
	case Look, Put:
		w.send(c, s)
		return true
	case Finish:
		c.state = finished
		c.late, c.gone, c.call = c.call, c.machine, nil
		w.say("%s ends its campaign", c.name)
	case Wait:
		c.until = s.Until
	}
	return false
}

// passHint tells the machine what its watch showed.
func (w *world) passHint(c *candidate) {
	pair := c.hint.pair
	c.hint = nil
	before := c.machine.view.Pair
	c.machine.Hint(pair, w.clockOf(c).Mono, func() (Record, error) { return Parse(pair.Value) })
	if c.machine.view.Pair != before {
		w.say("%s is shown: %s", c.name, describe(pair, c))
	}
}

// workReturned tells the machine that the work of the term has returned.
func (w *world) workReturned(c *candidate) {
	c.returned, c.working = false, false
	w.follow(c)
	c.machine.Worked(w.clockOf(c).Mono)
	w.end(c, Resigned)
	w.follow(c)
}

// end ends the lease of a candidate, if it has one that is not over.
func (w *world) end(c *candidate, reason Reason) {
	if c.lease != nil && !c.lease.over {
		c.lease.over, c.lease.reason = true, reason
	}
}

// send begins a call of the store, and ends it at once if nothing is to go wrong.
func (w *world) send(c *candidate, s Step) {
	c.call = &exchange{step: s, start: w.clockOf(c)}
	if s.Do == Put {
		w.covered[coverOp(s.Op)] = true
	}
	fault := none
	if s.Do == Put || !c.write {
		fault, c.fault, c.write = c.fault, none, false
	}
	if w.byHand || fault == holding {
		w.say("%s: under way", describeStep(c, s))
		return
	}
	switch {
	case w.down || fault == failing:
		c.call.failed = true
	case fault == refusing || w.refusing && s.Do == Put:
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
	if e.step.Do == Look {
		e.pair = w.read()
		return
	}
	w.checkWrite(c, e.step)
	before := w.stored
	if before == nil != (e.step.Previous == nil) || before != nil && before.LastIndex != e.step.Previous.LastIndex && !w.unsafe {
		e.failed, e.refused = true, true
		return
	}
	e.pair = w.write(e.step.Record.Encode())
}

// read returns what a read finds.
func (w *world) read() *store.KVPair {
	if w.stored == nil {
		return nil
	}
	pair := *w.stored
	if w.unsafe {
		pair.LastIndex += 1000
	}
	return &pair
}

// write stores a value; nil deletes what is there.
func (w *world) write(value []byte) *store.KVPair {
	w.index++
	w.stored = nil
	if value != nil {
		w.stored = &store.KVPair{Value: value, LastIndex: w.index}
	}
	w.history = append(w.history, w.stored)
	return w.stored
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
	switch {
	case e.step.Do == Put && e.failed:
		m.PutFailed(e.refused, now)
		outcome = "no answer"
		if e.refused {
			outcome = "refused"
		} else if e.delivered {
			outcome = "done, but the reply is lost"
		}
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
		if rec, err := parsePair(e.pair); err != nil {
			m.ReadForeign(now)
		} else {
			m.Read(e.pair, rec, now)
		}
	}
	events := m.Events()
	w.say("%s: %s%s", describeStep(c, e.step), outcome, w.afterwards(c, events))
	w.handle(c, events)
	w.follow(c)
}

func parsePair(pair *store.KVPair) (Record, error) {
	if pair == nil {
		return Record{}, nil
	}
	return Parse(pair.Value)
}

// follow tells the machine that its lease is over, if it is, and does what the events ask
// for.
func (w *world) follow(c *candidate) {
	if c.lease != nil && w.left(c) == 0 {
		if !c.lease.over {
			w.say("%s no longer trusts term %d: its time has run out", c.name, c.lease.token)
			w.end(c, Expired)
		}
		c.machine.Over(c.lease.reason)
	}
	w.handle(c, c.machine.Events())
}

// handle does what events ask for, as campaign.follow does.
func (w *world) handle(c *candidate, events []Event) {
	for _, e := range events {
		w.covered[coverEvent(e.Kind)] = true
		switch e.Kind {
		case Began:
			w.leads(c, e)
		case Renewed:
			if w.left(c) > 0 {
				c.lease.start = e.Start
				w.checkLeaders()
			}
		case EndLease:
			w.covered[coverCause(e.Cause)] = true
			if c.lease != nil && !c.lease.over {
				w.say("%s ends term %d: %s", c.name, c.lease.token, because(e))
			}
			w.end(c, reasonTo(e, c.name))
			w.follow(c)
		case WoundUp:
			w.say("%s is done with term %d", c.name, e.Record.Token)
			c.lease = nil
		case Condemned:
			w.tell(c, e)
			c.stopping = true
		default:
			w.tell(c, e)
		}
	}
}

// leads begins a term, unless its trust has run out already.
func (w *world) leads(c *candidate, e Event) {
	c.lease = &trusted{token: e.Record.Token, start: e.Start}
	if w.left(c) == 0 {
		c.lease = nil
		w.say("%s does not lead term %d: its time has run out already", c.name, e.Record.Token)
		c.machine.TooLate(w.clockOf(c).Mono)
		return
	}
	c.working = c.works
	w.say("%s leads term %d, trusted until %s", c.name, e.Record.Token, w.trustedUntil(c, e.Start))
	w.checkToken(e.Record.Token)
	w.checkLeaders()
	if c.stopping {
		w.end(c, Resigned)
	}
}
