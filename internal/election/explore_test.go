package election

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// plan is what is to be explored.
type plan struct {
	name       string
	processes  int
	depth      int  // moves, at most
	running    bool // the first leads already when it begins, and all have seen it
	works      bool
	relinquish time.Duration
	priorities []int
	asks       []Request
	faults     budget
}

var plans = []plan{
	{name: "two", processes: 2, depth: 14, running: true, faults: budget{lost: 1, crash: 1}},
}

// explorer visits every state that moves lead to, those of the fewest moves first.
type explorer struct {
	plan     *plan
	seen     map[uint64]struct{}
	visits   []visit // in order
	well     map[uint64]bool
	print    print
	deepest  int
	complete bool
}

// visit is how a state was first come to.
type visit struct {
	from int32
	move move
}

// explore visits all states within the plan's depth. It returns the moves to one where a
// rule is broken, and which; nil if there is none.
func (e *explorer) explore() ([]move, string) {
	e.seen, e.well = make(map[uint64]struct{}), make(map[uint64]bool)
	start := e.plan.first()
	frontier, ids := []*model{start}, []int32{0}
	e.visits = append(e.visits, visit{-1, move{}})
	e.seen[e.print.hash(start)] = struct{}{}
	var moves []move
	for e.deepest = 0; len(frontier) > 0 && e.deepest < e.plan.depth; e.deepest++ {
		var next []*model
		var nextIDs []int32
		for n, s := range frontier {
			frontier[n] = nil
			moves = s.moves(moves[:0])
			for _, v := range moves {
				c := s.clone()
				c.do(v)
				h := e.print.hash(c)
				if _, ok := e.seen[h]; ok && c.broken == "" {
					continue
				}
				e.seen[h] = struct{}{}
				id := int32(len(e.visits))
				e.visits = append(e.visits, visit{ids[n], v})
				if c.broken == "" {
					e.recovers(c)
				}
				if c.broken != "" {
					return e.path(id), c.broken
				}
				next, nextIDs = append(next, c), append(nextIDs, id)
			}
		}
		frontier, ids = next, nextIDs
	}
	e.complete = len(frontier) == 0
	return nil, ""
}

// path returns the moves to a state.
func (e *explorer) path(id int32) (moves []move) {
	for ; e.visits[id].from >= 0; id = e.visits[id].from {
		moves = append([]move{e.visits[id].move}, moves...)
	}
	return moves
}

// first is the state that exploration begins with.
func (p *plan) first() *model {
	s := newModel(p)
	if p.running {
		for range 2 {
			s.calm()
			s.do(move{kind: tick})
		}
		if !s.valid(0) {
			panic("the first does not lead")
		}
	}
	return s
}

const (
	calmFor  = 40 // quarters in which somebody has to have led
	leadsFor = 6  // quarters in a row
)

// recovers reports whether somebody leads before long, and goes on, though all is well
// from now on; else the state is a dead end.
func (e *explorer) recovers(s *model) {
	c := s.clone()
	c.left, c.late = budget{}, nil
	var path []uint64
	streak, since := 0, 0
	for n := range calmFor {
		c.calm()
		if c.broken != "" {
			s.broken = c.broken + ", while all is well"
			return
		}
		h := e.print.hash(c)
		path = append(path, h)
		if e.well[h] {
			since = n
			streak = leadsFor
		} else if led := c.led(); led {
			if streak++; streak == 1 {
				since = n
			}
		} else {
			streak = 0
		}
		if streak == leadsFor {
			for _, h := range path[:since+1] {
				e.well[h] = true
			}
			return
		}
		c.do(move{kind: tick})
	}
	s.violate(fmt.Sprintf("liveness: nobody leads within %d TTLs, though all is well", calmFor/4))
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

// calm has all come to rest within this quarter: calls return, who is ill is well, and a
// pause is over.
func (s *model) calm() {
	for range 50 {
		var room [64]move
		moves := s.moves(room[:0])
		n := slices.IndexFunc(moves, func(v move) bool {
			switch v.kind {
			case finish, deliver, resume, recover:
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

func TestExplore(t *testing.T) {
	for _, p := range plans {
		t.Run(p.name, func(t *testing.T) {
			if d, _ := strconv.Atoi(os.Getenv("EXPLORE_DEPTH")); d > 0 {
				p.depth = d
			}
			began := time.Now()
			e := &explorer{plan: &p}
			moves, broken := e.explore()
			took := time.Since(began).Round(time.Millisecond)
			if broken != "" {
				t.Errorf("after %d states, in %v: %s\n%s", len(e.visits), took, broken, p.retell(moves))
			}
			t.Logf("%d states within %d moves (all there are: %v) in %v", len(e.visits), e.deepest, e.complete, took)
		})
	}
}

// retell tells what has happened.
func (p *plan) retell(moves []move) string {
	var b strings.Builder
	s := p.first()
	s.tell = func(who, what string) {
		if who == "" {
			fmt.Fprintf(&b, "%s\n", what)
		} else {
			fmt.Fprintf(&b, "    %s %s\n", who, what)
		}
	}
	for _, v := range moves {
		s.do(v)
	}
	return b.String()
}

// say tells of a move.
func (s *model) say(v move) string {
	return fmt.Sprintf("%v: %s %s", s.now, kinds[v.kind], node(int(v.n)))
}

var kinds = []string{"tick", "finish", "reach", "deliver", "lose", "giveUp", "land", "crash", "restart", "ask", "resume", "hint", "stale hint", "stop", "ill", "well", "work returns", "vanish", "failover"}
