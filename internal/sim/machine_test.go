package sim

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
)

// machine is what one process runs on: a clock that is fast or slow, a
// scheduler that may pause a caller that has just read it, a lid that may be closed.
// It implements clock.Clock.
//
// All times named v are virtual: the true time since the world began.
type machine struct {
	w    *world
	name string
	dice dice
	machinePlan

	// quiet lets the checker read the clock without being paused. The checker
	// sets it only while everyone else is blocked.
	quiet atomic.Bool

	apart *clock.Jumps

	paused  atomic.Int32 // callers that are paused now
	resumed atomic.Int64 // when the last pause ended, v
}

// machinePlan is what is known of a machine from the start.
type machinePlan struct {
	rate   float64       // of both clocks
	skew   time.Duration // of the wall clock
	pause  float64       // probability that a reader of the clock is paused
	longer time.Duration // the longest pause
	sleeps []span        // when it is suspended, in order
	jumps  []jump        // of the wall clock
}

// span is a time from one instant until another.
type span struct{ from, to time.Duration }

func (s span) holds(v time.Duration) bool { return s.from <= v && v < s.to }

// jump is a setting of the wall clock.
type jump struct{ at, by time.Duration }

func newMachine(w *world, name string, plan machinePlan, d dice) *machine {
	m := &machine{w: w, name: name, machinePlan: plan, dice: d}
	m.resumed.Store(math.MinInt64)
	m.apart = clock.NewJumps(steady{m})
	for _, s := range plan.sleeps {
		w.alarm(s.to)
		w.alarm(s.to + jumpNoticed)
	}
	for _, j := range plan.jumps {
		w.alarm(j.at)
		w.alarm(j.at + jumpNoticed)
	}
	return m
}

// Now implements clock.Clock. The caller may be paused after the reading, and
// before it gets it: this is the moment at which a pause does most harm.
func (m *machine) Now() clock.Instant {
	v := m.w.now()
	i := m.read(v)
	if m.quiet.Load() {
		return i
	}
	if wake, asleep := m.asleep(v); asleep {
		m.w.note(m.name, "is suspended for %v", wake-v)
		m.hold(wake-v, callSite())
		return i
	}
	if m.pause == 0 || v >= m.w.faultsEnd {
		return i
	}
	site := callSite()
	if c := m.dice.at(v, site); c.p(m.pause) {
		d := m.w.untilHealed(c, v, c.spread(m.longer/1000, m.longer))
		m.w.note(m.name, "paused for %v", d)
		m.hold(d, site)
	}
	return i
}

// hold holds the caller for d, and a few nanoseconds that depend on who it is:
// those who wait for the same end do not all go on at the same instant.
func (m *machine) hold(d time.Duration, who uint64) {
	m.paused.Add(1)
	time.Sleep(d + m.dice.at(m.w.now(), who).between(1, 1000))
	m.resumed.Store(int64(m.w.now()))
	m.paused.Add(-1)
}

// AfterFunc implements clock.Clock: timers keep the machine's time, and stand
// still while it is suspended.
func (m *machine) AfterFunc(d time.Duration, f func()) *time.Timer {
	v := m.w.now()
	return time.AfterFunc(m.when(m.mono(v)+max(d, 0))-v, f)
}

// Float64 implements clock.Clock.
func (m *machine) Float64() float64 {
	return m.dice.at(m.w.now(), callSite()).float()
}

// Jumps implements clock.Clock.
func (m *machine) Jumps() *clock.Jumps { return m.apart }

// steady is the clock of a machine whose readers are not paused, but for those who
// find it suspended: what compares the clocks is to be held to the time that it has.
type steady struct{ *machine }

func (s steady) Now() clock.Instant {
	s.stayAwake()
	return s.read(s.w.now())
}

// read returns what both clocks say at v.
func (m *machine) read(v time.Duration) clock.Instant {
	// Both clocks tick together, to the nanosecond, while it is awake.
	wall := m.mono(v) + scale(v-m.awake(v), m.rate) + m.skew
	for _, j := range m.jumps {
		if j.at <= v {
			wall += j.by
		}
	}
	return clock.Instant{Mono: m.mono(v), Wall: epoch + int64(wall)}
}

// mono returns what the monotonic clock says at v.
func (m *machine) mono(v time.Duration) time.Duration { return scale(m.awake(v), m.rate) }

// awake returns how much of the time until v the machine was not suspended.
func (m *machine) awake(v time.Duration) time.Duration {
	d := v
	for _, s := range m.sleeps {
		if s.from < v {
			d -= min(s.to, v) - s.from
		}
	}
	return d
}

// when returns the first instant at which the monotonic clock says mono.
func (m *machine) when(mono time.Duration) time.Duration {
	d := time.Duration(float64(mono)/m.rate) - 2
	for scale(d, m.rate) < mono {
		d++
	}
	for _, s := range m.sleeps { // d is awake time; those before it put it off
		if s.from <= d {
			d += s.to - s.from
		}
	}
	return d
}

// asleep reports whether the machine is suspended at v, and until when.
func (m *machine) asleep(v time.Duration) (time.Duration, bool) {
	for _, s := range m.sleeps {
		if s.holds(v) {
			return s.to, true
		}
	}
	return 0, false
}

// stayAwake holds the caller while the machine is suspended: nothing that runs
// on it gets further.
func (m *machine) stayAwake() {
	v := m.w.now()
	if wake, asleep := m.asleep(v); asleep {
		m.hold(wake-v, callSite())
	}
}

// frozen reports whether the process stands still, or has just gone on, in the
// midst of things.
func (m *machine) frozen(v time.Duration) bool {
	_, asleep := m.asleep(v)
	return asleep || m.paused.Load() > 0 || m.resumed.Load() == int64(v)
}

// torn reports whether the two clocks have gone apart between two instants, the
// wall clock was set or the machine suspended: then time runs out earlier than
// timers can tell.
func (m *machine) torn(from, to time.Duration) bool {
	for _, s := range m.sleeps {
		if s.from <= to && from <= s.to {
			return true
		}
	}
	for _, j := range m.jumps {
		if from <= j.at && j.at <= to {
			return true
		}
	}
	return false
}

func scale(d time.Duration, rate float64) time.Duration {
	return time.Duration(float64(d) * rate)
}

// callSite names the place in the code that asks for the time, so that each
// has a chance of its own to be paused: the function that asks, its caller, and
// that one's. Lines would change with every edit, addresses with every build, and
// a seed would find another history.
func callSite() uint64 {
	var pcs [3]uintptr
	runtime.Callers(3, pcs[:])
	if h, ok := callSites.Load(pcs); ok {
		return h.(uint64)
	}
	h := dice(0)
	frames := runtime.CallersFrames(pcs[:])
	for range len(pcs) {
		f, more := frames.Next()
		h = h.child(f.Function)
		if !more {
			break
		}
	}
	callSites.Store(pcs, uint64(h))
	return uint64(h)
}

var callSites sync.Map // [3]uintptr -> uint64
