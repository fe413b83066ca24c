package election

import (
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"
	"time"
)

// plan is what is to be explored.
type plan struct {
	name       string
	processes  int
	depth      int // moves, at most
	running    int // for how many quarters all has been well when it begins
	works      bool
	rides      bool // terms ride on sessions, one of each process
	plain      uint // save those of these processes, a bit for each
	relinquish time.Duration
	priorities []int
	asks       []Request // of which there is one
	faults     budget
}

var plans = []plan{
	{name: "two", processes: 2, depth: 13, running: 2, faults: budget{lost: 1, crash: 1}},
	{name: "lost", processes: 2, depth: 12, running: 2, faults: budget{lost: 3}},
	{name: "all", processes: 2, depth: 9, running: 2, faults: budget{lost: 1, crash: 1, hint: 1, ask: 1}, asks: requests},
	{name: "ask", processes: 2, depth: 10, running: 2, faults: budget{lost: 1, ask: 1}, asks: requests},
	{name: "start", processes: 2, depth: 11, faults: budget{lost: 1, crash: 1}},
	{name: "vanish", processes: 2, depth: 11, running: 2, faults: budget{lost: 1, vanish: 1}},
	{name: "spoil", processes: 2, depth: 11, running: 2, faults: budget{lost: 1, spoil: 1}},
	{name: "failover", processes: 2, depth: 12, running: 2, faults: budget{lost: 1, failover: 1}},
	{name: "work", processes: 2, depth: 10, running: 2, works: true, faults: budget{lost: 1, stop: 1, done: 1}},
	{name: "relinquish", processes: 2, depth: 12, running: 2, relinquish: 6 * quarter, faults: budget{lost: 1}},
	{name: "ill", processes: 2, depth: 10, running: 2, faults: budget{lost: 1, ill: 1}},
	{name: "three", processes: 3, depth: 10, running: 2, faults: budget{lost: 1, crash: 1}},
	{name: "three lose", processes: 3, depth: 10, running: 2, faults: budget{lost: 2}},
	{name: "priority", processes: 3, depth: 9, running: 4, priorities: []int{0, 1, 0}, faults: budget{stop: 1, ask: 1}, asks: requests[3:]},
	{name: "ride", processes: 2, depth: 9, running: 2, rides: true, faults: budget{lost: 1, pause: 1, stale: 1}},
	{name: "ride lost", processes: 2, depth: 9, running: 2, rides: true, faults: budget{lost: 2, crash: 1}},
	{name: "ride failover", processes: 2, depth: 10, running: 2, rides: true, faults: budget{lost: 1, failover: 1}},
	{name: "ride vanish", processes: 2, depth: 9, running: 2, rides: true, faults: budget{lost: 1, vanish: 1}},
	{name: "ride unrecord", processes: 2, depth: 9, running: 2, rides: true, faults: budget{unrecord: 1, stale: 1, pause: 1}},
	{name: "ride ask", processes: 2, depth: 7, running: 2, rides: true, faults: budget{lost: 1, ask: 1}, asks: requests},
	{name: "ride before one that does not", processes: 2, depth: 8, running: 2, rides: true, plain: 0b10, faults: budget{lost: 1, pause: 1, stale: 1}},
	{name: "ride after one that does not", processes: 2, depth: 8, running: 2, rides: true, plain: 0b01, faults: budget{lost: 1, pause: 1, crash: 1}},
	{name: "ride work", processes: 2, depth: 9, running: 2, rides: true, works: true, faults: budget{stop: 1, done: 1, pause: 1}},
}

// requests are those that an operator may make.
var requests = []Request{
	{Do: Resign}, {Do: Pause}, {Do: Pause, Keep: true}, {Do: Transfer, To: "b", Millis: 7500},
}

// explorer visits every state that moves lead to, those of the fewest moves first.
type explorer struct {
	plan     *plan
	seen     map[uint64]struct{}
	visits   []visit // in order
	well     map[uint64]bool
	print    fingerprint
	spare    model
	tail     []uint64 // states in which all is well, one after another
	depth    int      // that was explored
	complete bool     // there are no other states

	broken string // the rule that is broken
	moves  []move // and how
}

// visit is how a state was first come to.
type visit struct {
	from int32
	move move
}

// explore visits all states within the plan's depth, until a rule is broken.
func (e *explorer) explore() {
	e.seen, e.well = make(map[uint64]struct{}), make(map[uint64]bool)
	start := e.plan.first(nil)
	frontier, ids := []*model{start}, []int32{0}
	e.visits = append(e.visits, visit{-1, move{}})
	e.seen[e.print.hash(start)] = struct{}{}
	if e.broke(start, 0) {
		return
	}
	var moves []move
	c := new(model)
	for ; len(frontier) > 0 && e.depth < e.plan.depth; e.depth++ {
		var next []*model
		var nextIDs []int32
		for n, s := range frontier {
			frontier[n] = nil
			moves = s.moves(moves[:0])
			for _, v := range moves {
				s.copyTo(c)
				c.do(v)
				h := e.print.hash(c)
				if _, ok := e.seen[h]; ok && c.broken == "" {
					continue
				}
				e.seen[h] = struct{}{}
				id := int32(len(e.visits))
				e.visits = append(e.visits, visit{ids[n], v})
				if e.broke(c, id) {
					return
				}
				next, nextIDs = append(next, c), append(nextIDs, id)
				c = new(model)
			}
		}
		frontier, ids = next, nextIDs
	}
	e.complete = len(frontier) == 0
}

// broke reports whether a rule is broken in a state, or will be, though all is well from
// now on.
func (e *explorer) broke(s *model, id int32) bool {
	if s.hold(); s.broken == "" {
		s.copyTo(&e.spare)
		e.recovers(&e.spare)
		if e.spare.broken == "" {
			return false
		}
		s.broken = e.spare.broken
	}
	e.broken, e.moves = s.broken, e.path(id)
	return true
}

// path returns the moves to a state.
func (e *explorer) path(id int32) (moves []move) {
	for ; e.visits[id].from >= 0; id = e.visits[id].from {
		moves = append([]move{e.visits[id].move}, moves...)
	}
	return moves
}

// first is the state that exploration begins with.
func (p *plan) first(script *[]string) *model {
	s := newModel(p, script)
	for range p.running {
		s.calm()
		s.do(move{kind: tick})
	}
	if p.running > 0 && !s.valid(0) {
		s.violate("liveness: the first does not lead")
	}
	return s
}

const (
	calmFor  = 40 // quarters in which somebody has to have led
	leadsFor = 6  // quarters in a row
)

// recovers makes everything be well from now on, and demands that somebody leads before long, and
// goes on; else the state is a dead end.
func (e *explorer) recovers(s *model) {
	s.left, s.late = budget{}, nil
	e.tail = e.tail[:0]
	streak, since := 0, 0
	for n := 0; streak < leadsFor; n++ {
		if n == calmFor {
			s.violate(fmt.Sprintf("liveness: nobody leads for long within %d TTLs, though all is well", calmFor/4))
		}
		if s.calm(); s.broken != "" {
			return
		}
		h := e.print.hash(s)
		e.tail = append(e.tail, h)
		switch {
		case e.well[h]:
			since, streak = n, leadsFor
		case !s.led():
			streak = 0
		default:
			if streak++; streak == 1 {
				since = n
			}
		}
		s.do(move{kind: tick})
	}
	for _, h := range e.tail[:since+1] {
		e.well[h] = true
	}
}

// led reports whether somebody leads.
func (s *model) led() bool {
	for i := range s.procs {
		if s.valid(i) {
			return true
		}
	}
	return false
}

// calm makes everything come to rest within this quarter: calls return, who is ill is well, and a
// pause is over.
func (s *model) calm() {
	for range 50 {
		var room [64]move
		moves := s.moves(room[:0])
		n := slices.IndexFunc(moves, func(v move) bool {
			switch v.kind {
			case finish, deliver, resume, rally, wipe, beat, beatHear, wakeUp:
				return true
			case work:
				return s.procs[v.n].lease.over
			case restart:
				return !s.up()
			}
			return false
		})
		if n < 0 {
			return
		}
		s.do(moves[n])
	}
	s.violate("S6: calls without end")
}

// up reports whether anybody stands.
func (s *model) up() bool {
	for i := range s.procs {
		if s.procs[i].up {
			return true
		}
	}
	return false
}

// TestExplore visits every state that some moves lead to: EXPLORE_DEPTH=2 makes it take two
// moves more than usual. With the race detector, which makes it slow, it makes three less.
func TestExplore(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	more, _ := strconv.Atoi(os.Getenv("EXPLORE_DEPTH"))
	if testing.Short() || raceDetector {
		more -= 3
	}
	for _, p := range plans {
		t.Run(p.name, func(t *testing.T) {
			p.depth += more
			began := time.Now()
			e := &explorer{plan: &p}
			e.explore()
			if e.broken != "" {
				t.Errorf("%s%s%s", found, e.retell(), end)
			}
			t.Logf("%d processes: %d states within %d moves (all there are: %v) in %v",
				p.processes, len(e.visits), e.depth, e.complete, time.Since(began).Round(time.Millisecond))
		})
	}
}
