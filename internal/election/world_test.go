package election

import (
	"fmt"
	"slices"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
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

// world is an election in a test, with the sessions that its terms ride on: a register for
// each, the candidates that use them, and the time.
// It does what campaign.go does, but in the order that its commands give (see
// worldcommands_test.go), tells what happened in plain words (worldwords_test.go), and
// checks at every step what no history may show. Chance is always 0: waits are as long as
// they can be, and each beat follows the one before.
type world struct {
	now        time.Duration
	seat       register
	sessions   map[string]*register // by their keys
	index      uint64               // of the last write
	candidates []*candidate
	leaders    string // who trusts a term of the seat

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

// register is what a store has under one key.
type register struct {
	stored  *store.KVPair   // nil: there is no record
	history []*store.KVPair // what was stored, oldest first
	highest uint64          // token of all terms that have begun
}

// at returns the register under a key; that of the seat has none.
func (w *world) at(key string) *register {
	if key == "" {
		return &w.seat
	}
	if w.sessions[key] == nil {
		w.sessions[key] = &register{}
	}
	return w.sessions[key]
}

// candidate is a process with one campaign at a time. A session is one that stands under a
// key of its own, its name.
type candidate struct {
	name      string
	key       string     // that it stands under
	rides     *candidate // the session that its next term rides on, if that is trusted; or nil
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
	ride      *Ride // that a look has found
	failed    bool
	refused   bool
}

// trusted stands for the lease of package lease.
type trusted struct {
	token  uint64
	start  clock.Instant
	over   bool
	reason Reason // why it is over

	session *candidate // that it rides on, or nil
	on      *trusted   // and its lease
}

func newWorld() *world {
	return &world{sessions: map[string]*register{}, covered: map[string]bool{}}
}

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
	left := w.clockOf(c).Left(c.cfg.Trust, c.lease.start)
	if s := c.lease.session; s != nil && s.lease == c.lease.on {
		return min(left, w.left(s))
	} else if s != nil {
		return 0
	}
	return left
}

// named returns the key of the session that a candidate can ride on, or "".
func (w *world) named(c *candidate) string {
	if c.rides == nil || w.left(c.rides) == 0 {
		return ""
	}
	return c.rides.key
}

// wakes has those take steps next whose session has begun, or ended.
func (w *world) wakes(session *candidate) {
	for _, c := range w.candidates {
		if c.rides == session {
			c.until = w.clockOf(c).Mono
		}
	}
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
	c.machine.Ride(w.named(c))
	s := c.machine.Step(now)
	w.covered[coverDo(s.Do)] = true
	switch s.Do {
	case Look, Put, End:
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
	c.machine.Hint(pair, w.clockOf(c).Mono, func() (Record, error) { return c.by.parse(pair.Value) })
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
		w.wakes(c)
	}
}

// follow tells the machine that its lease is over, if it is, and does what the events ask
// for.
func (w *world) follow(c *candidate) {
	if c.lease != nil && w.left(c) == 0 {
		if !c.lease.over {
			w.say("%s no longer trusts term %d: %s", c.name, c.lease.token, w.lapsed(c))
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
	if e.Record.Session != "" {
		c.lease.session = c.rides
		if e.Record.Session == w.named(c) {
			c.lease.on = c.rides.lease
		} else {
			c.lease.on = &trusted{} // of one that is over
		}
	}
	if w.left(c) == 0 {
		c.lease = nil
		w.say("%s does not lead term %d: its time has run out already", c.name, e.Record.Token)
		c.machine.TooLate(w.clockOf(c).Mono)
		return
	}
	c.working = c.works
	w.say("%s leads term %d, trusted until %s", c.name, e.Record.Token, w.trustedUntil(c, e.Start))
	w.checkToken(c, e.Record.Token)
	w.checkLeaders()
	w.wakes(c)
	if c.stopping {
		w.end(c, Resigned)
	}
}
