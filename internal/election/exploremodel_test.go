package election

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/invariants"
	"github.com/seed-a1d591d3/leadership/store"
)

// quarter is by how much all clocks of a model go on at once. What is due in between is
// seen to at the end.
const quarter = worldTTL / 4

// cell is what is stored: a record, as one write has left it.
type cell struct {
	pair    *store.KVPair
	rec     Record
	foreign bool // it is no record
	at      time.Duration
}

func (c *cell) record() Record {
	if c == nil {
		return Record{}
	}
	return c.rec
}

func (c *cell) stored() *store.KVPair {
	if c == nil {
		return nil
	}
	return c.pair
}

// parse stands for Parse.
func (c *cell) parse() (Record, error) {
	if c.foreign {
		return Record{}, errors.New("no record")
	}
	return c.rec, nil
}

// phase is how far a call of the store has got.
type phase uint8

const (
	idle    phase = iota
	sent          // it may reach the store at any time
	reached       // it has, and the reply may come at any time
)

// reply is how a call has ended.
type reply struct {
	failed, refused bool
	cell            *cell // found, or written
	ride            *Ride // found
}

// trust is the lease of a term, as internal/lease has it.
type trust struct {
	token uint64 // 0: there is none
	on    string // the session that it rides on, or none
	start time.Duration
	began time.Duration
	over  bool
	why   Reason
}

// process is one that stands in the election: its machine, and what drives it, as
// campaign does.
type process struct {
	up      bool
	life    int // how often it was started
	m       Machine
	issued  Issued
	lease   trust
	working bool // the work of the term has not returned
	done    bool // it has, and the machine is yet to be told
	stop    bool
	ill     bool
	asleep  bool
	wake    time.Duration
	keeps   keeping

	phase phase
	step  Step
	value []byte
	reply reply
}

// flight is a write whose writer has given it up: it may yet happen.
type flight struct {
	by int
	op string

	session string // that it is to end, or none
	rec     Record
	start   time.Duration
	value   []byte
	prev    *store.KVPair
}

// budget is how many of each fault there may be yet.
type budget struct {
	lost, crash, hint, ask, stop, ill, vanish, spoil, failover, done int8
	pause, stale, unrecord                                           int8
}

// model is a state of the world: what is stored, and who stands.
type model struct {
	plan    *plan
	now     time.Duration
	index   uint64 // of the last write
	durable uint64 // of the last that was acknowledged: no failover takes it back
	taken   uint64 // of one that a failover has taken back
	cell    *cell  // nil: nothing is stored
	before  *cell  // what was stored before that
	procs   []process
	late    []flight
	left    budget

	sessions []sessionRecord
	beats    []lateBeat
	paused   bool   // an operator has asked for it
	highest  uint64 // the token of the last term that has begun
	broken   string // which rule was broken, and how
	lost     invariants.Loss
	watch    *watch
	script   *[]string // what has happened, as commands of a world, if it is recorded
}

// newModel makes the state in which all begin at once, and nothing is stored.
func newModel(p *plan, script *[]string) *model {
	s := &model{plan: p, procs: make([]process, p.processes), left: p.faults, watch: new(watch), script: script}
	for i := range s.procs {
		s.record("%s", s.introduce(i))
		s.start(i)
	}
	return s
}

// copyTo makes c a copy of s that may be changed, in the place of what it was.
func (s *model) copyTo(c *model) {
	procs, sessions := c.procs, c.sessions
	*c = *s
	c.procs = append(procs[:0], s.procs...)
	c.sessions = append(sessions[:0], s.sessions...)
	for i := range c.procs {
		p := &c.procs[i]
		p.m.issued = &p.issued
		p.m.writes.sent = slices.Clip(p.m.writes.sent) // an append copies
	}
	c.late = slices.Clip(s.late)
}

func (s *model) instant() clock.Instant { return clock.Instant{Mono: s.now} }

// record adds a command to the script.
func (s *model) record(format string, args ...any) {
	if s.script != nil {
		*s.script = append(*s.script, fmt.Sprintf(format, args...))
	}
}

func node(i int) string { return string(rune('a' + i)) }

// violate says that a rule is broken.
func (s *model) violate(what string) {
	if s.broken == "" {
		s.broken = what
	}
}

// start starts a process, or starts it again.
func (s *model) start(i int) {
	p := &s.procs[i]
	life := p.life + 1
	*p = process{up: true, life: life}
	name := func(n int) string { return node(i) + string(rune('0'+n)) }
	cfg := &Config{
		Trust: worldTrust, Renew: worldRetry, Retry: worldRetry, Limit: worldRetry,
		Schedule: Schedule{After: s.plan.relinquish},
		Dice: Dice{
			Float64:  func() float64 { return 0 },
			Stride:   func() uint32 { return 0 },
			Instance: func() string { return name(life + 5) },
		},
	}
	if s.rider(i) {
		cfg.Rides, cfg.Trust = true, 2*worldTrust
		s.conceive(i)
	}
	by := Claimant{Node: node(i), Instance: name(life), TTL: worldTTL, Hold: worldRetry}
	if i < len(s.plan.priorities) {
		by.Priority = s.plan.priorities[i]
	}
	p.m = *NewMachine(cfg, by, s.plan.works, &p.issued, s.now)
	s.run(i)
}

// valid reports whether a process can trust that it leads, as lease.Valid does.
func (s *model) valid(i int) bool {
	p := &s.procs[i]
	return p.up && p.lease.token != 0 && !p.lease.over && s.now-p.lease.start < s.trust(i) && (p.lease.on == "" || p.lease.on == s.rides(i))
}

func (p *process) end(why Reason) {
	if p.lease.token != 0 && !p.lease.over {
		p.lease.over, p.lease.why = true, why
	}
}

// answer tells the machine how the call under way has ended.
func (s *model) answer(i int, r reply) {
	p, now := &s.procs[i], s.instant()
	put, end := p.step.Do == Put, p.step.Do == End
	value := p.value
	p.phase, p.step, p.value, p.reply = idle, Step{}, nil, reply{}
	s.follow(i)
	switch {
	case end:
		p.m.SessionEnded(r.failed, r.refused, now)
	case put && r.failed:
		p.m.PutFailed(r.refused, now)
	case put:
		p.m.Wrote(r.cell.pair, value, now)
	case r.failed:
		p.m.LookFailed(now)
	case r.cell != nil && r.cell.foreign:
		p.m.ReadForeign(now)
	default:
		rec := r.cell.record()
		rec.Ride = r.ride
		p.m.Read(r.cell.stored(), rec, now)
	}
	s.follow(i)
	s.run(i)
}

// run goes on with a process until it has to wait, as campaign.step does.
func (s *model) run(i int) {
	p, now := &s.procs[i], s.instant()
	for range 20 {
		if p.stop {
			p.m.Stop()
		}
		p.m.Health(!p.ill, p.ill)
		if p.done {
			p.done, p.working = false, false
			s.follow(i)
			p.m.Worked(s.now)
			p.end(Resigned)
			s.follow(i)
		}
		p.m.Tick(now)
		s.follow(i)
		p.m.Ride(s.rides(i))
		switch step := p.m.Step(now); step.Do {
		case Look, Put, End:
			s.call(i, step)
		case Finish:
			s.down(i)
			return
		case Wait:
			p.wake = step.Until
			return
		}
	}
	s.violate("S6: " + node(i) + " takes step after step, and never waits")
}

// follow does what the machine's events say, as campaign.follow does.
func (s *model) follow(i int) {
	p := &s.procs[i]
	if p.lease.token != 0 && !s.valid(i) {
		p.end(Expired)
		p.m.Over(p.lease.why)
	}
	for _, e := range p.m.Events() {
		switch e.Kind {
		case Began:
			s.begin(i, e)
		case Renewed:
			if s.valid(i) {
				p.lease.start = e.Start.Mono
			}
		case EndLease:
			if p.lease.token != 0 {
				p.end(reasonTo(e, node(i)))
				s.follow(i)
			}
		case WoundUp:
			p.lease = trust{}
		case Condemned:
			s.violate("S10: a store that compares and swaps is condemned")
		}
	}
}

func (s *model) begin(i int, e Event) {
	p := &s.procs[i]
	if s.now-e.Start.Mono >= s.trust(i) || e.Record.Session != s.rides(i) {
		p.m.TooLate(s.now)
		return
	}
	switch token := e.Record.Token; {
	case token == s.highest:
		s.violate("S7: a term that has ended is trusted again")
	case token < s.highest:
		s.violate("tokens: a term has a lower token than one before it")
	}
	s.highest = max(s.highest, e.Record.Token)
	p.lease = trust{token: e.Record.Token, on: e.Record.Session, start: e.Start.Mono, began: e.Start.Mono}
	p.working = s.plan.works
	if p.stop {
		p.end(Resigned)
	}
}

// reasonTo is why the record is to tell that a term has ended.
func reasonTo(e Event, node string) Reason {
	switch e.Cause {
	case ByRequest:
		return e.Request.ReasonToGo(node)
	case ByHealth:
		return Unhealthy
	case BySchedule:
		return Relinquished
	default:
		return Expired
	}
}

// call begins a call of the store.
func (s *model) call(i int, step Step) {
	p := &s.procs[i]
	if p.phase != idle {
		s.violate("S6: " + node(i) + " makes a call while another is under way")
		return
	}
	p.phase, p.step = sent, step
	if step.Do != Put {
		return
	}
	p.value = encode(step.Record)
	switch view := &p.m.view; {
	case step.Op == "vacate" && p.working:
		s.violate("S8: " + node(i) + " gives up the seat while its work goes on")
	case step.Op != "claim":
	case p.ill:
		s.violate("health: " + node(i) + " claims the seat although it is ill")
	case view.Rec.Ask.Pauses():
		s.violate("requests: " + node(i) + " claims the seat during a pause")
	case !view.Rec.Held() && s.now < view.Seen+heldFor(view.Rec, i, s.plan):
		s.violate("priority: " + node(i) + " claims a seat that is left to another")
	}
}

// heldFor is for how long a vacant seat is left to others.
func heldFor(rec Record, i int, p *plan) (d time.Duration) {
	if a := rec.Ask; a != nil && a.Do == Transfer {
		if a.To != node(i) {
			d = time.Duration(a.Millis) * time.Millisecond
		}
		return d
	}
	for _, w := range rec.Waiting {
		if w.Node != node(i) && w.Priority > p.priorities[i] {
			d += worldRetry
		}
	}
	return d
}

// encode stands for Record.Encode, which takes longer.
func encode(r Record) []byte {
	b := append([]byte(nil), r.Instance...)
	b = binary.AppendUvarint(append(b, ' '), r.Token)
	b = binary.AppendUvarint(b, r.Beat)
	if a := r.Ask; a != nil {
		b = append(append(append(b, a.Do...), a.To...), byte(len(r.Waiting)))
	}
	for _, w := range r.Waiting {
		b = append(append(b, w.Node...), byte(w.Priority))
	}
	return b
}
