package election

import (
	"errors"
	"fmt"
	"strings"
)

// The moves of an exploration are told as an interaction with a world by hand, by the
// commands that it has, and these.
func init() {
	commands["quarter"] = (*world).quarter                                                 // a quarter of the TTL goes by, and those who are due take steps
	commands["finish"] = onCall(true, func(*world, *candidate) {})                         // a call reaches the store, and its reply arrives
	commands["receive"] = onCall(true, func(*world, *candidate) {})                        // the reply of one that has reached it arrives
	commands["lose"] = onCall(true, func(_ *world, c *candidate) { c.call.failed = true }) // such a reply is lost
	commands["give-up"] = onCall(false, func(_ *world, c *candidate) {                     // a call fails, though it may reach the store later
		late := *c.call
		c.late, c.call.failed = &late, true
	})
	commands["land"] = (*world).land          // and now it does
	commands["take-back"] = (*world).takeBack // a failover takes back the last write
}

// onCall makes the command of what becomes of the call under way, which returns by it.
func onCall(reaches bool, f func(*world, *candidate)) func(*world, command) error {
	return func(w *world, cmd command) error {
		c, err := w.candidate(cmd)
		if err != nil || c.call == nil {
			return errors.New("no call is under way")
		}
		if reaches && !c.call.delivered {
			w.deliver(c, c.call)
		}
		f(w, c)
		c.call.answered = true
		w.run(c)
		return nil
	}
}

func (w *world) quarter(command) error {
	w.advance(quarter)
	for _, c := range w.candidates {
		if c.state == running && (w.now >= c.until || c.lease != nil && !c.lease.over && w.left(c) == 0) {
			w.run(c)
		}
	}
	return nil
}

func (w *world) land(cmd command) error {
	c, err := w.candidate(cmd)
	if err != nil || c.late == nil {
		return errors.New("no write is left")
	}
	w.deliver(c, c.late)
	c.late = nil
	return w.shows(cmd)
}

func (w *world) takeBack(cmd command) error {
	r := &w.seat
	taken := r.stored
	r.stored = r.history[len(r.history)-2]
	for _, c := range w.candidates {
		if c.call != nil && c.call.step.Do == Put && c.call.pair == taken {
			c.call.failed = true
		}
	}
	return w.shows(cmd)
}

// introduce is the command of a new candidate.
func (s *model) introduce(i int) string {
	words := "new " + node(i)
	if s.plan.works {
		words += " works"
	}
	if s.plan.relinquish > 0 {
		words += fmt.Sprintf(" relinquish=%v", s.plan.relinquish)
	}
	if i < len(s.plan.priorities) {
		words += fmt.Sprintf(" priority=%d", s.plan.priorities[i])
	}
	return words
}

// say tells of a move, as a command.
func (s *model) say(v move) string {
	switch who := node(int(v.n)); v.kind {
	case tick:
		return "quarter"
	case finish:
		return "finish " + who
	case reach:
		return "deliver " + who
	case deliver:
		return "receive " + who
	case lose:
		return "lose " + who
	case giveUp:
		return "give-up " + who
	case land:
		return "land " + node(s.late[v.n].by)
	case crash:
		return "crash " + who
	case restart:
		return "start " + who
	case ask:
		r := s.plan.asks[v.n]
		words := "ask " + string(r.Do)
		if r.Do == Transfer {
			words += fmt.Sprintf(" to=%s hold=%dms", r.To, r.Millis)
		}
		if r.Keep {
			words += " keep"
		}
		return words
	case resume:
		return "ask resume"
	case hintNow:
		return "hint " + who
	case hintOld:
		return "hint " + who + " old"
	case stop:
		return "stop " + who
	case fall:
		return "ill " + who
	case rally:
		return "well " + who
	case work:
		return "work-returns " + who
	case vanish, wipe:
		return "delete"
	case spoil:
		return "put garbage"
	case failover:
		return "take-back"
	default:
		return fmt.Sprintf("%s %s", rideWords[v.kind-beat], who)
	}
}

// steps reports whether a candidate takes steps after a move though the command for it
// leaves that to another.
func (v move) steps() bool {
	switch v.kind {
	case hintNow, hintOld, stop, fall, rally, work:
		return true
	}
	return false
}

// rideWords tell of moves that worlds do not have as commands: there, sessions are candidates.
var rideWords = []string{
	"renew-session", "deliver-renewal", "receive-renewal", "lose-renewal", "give-up-renewal", "land-renewal", "take-back-renewal", "deliver-old", "delete-session", "sleep", "wake-up",
}

// retell tells how a rule was broken, as an interaction with a world.
func (e *explorer) retell() string {
	var script []string
	s := e.plan.first(&script)
	for _, v := range e.moves {
		s.do(v)
		s.hold()
	}
	if s.broken == "" {
		s.record("# From here on all is well.")
		e.recovers(s)
	}
	text := "> by-hand\n> " + strings.Join(script, "\n> ") + "\n"
	text = strings.ReplaceAll(text, "> #", "#")
	told, err := text, error(nil)
	if !e.plan.rides { // a world has machines for sessions, and a model does not
		told, err = interact(newWorld(), text)
	}
	if err != nil {
		told = fmt.Sprintf("%s  (no world has such an interaction: %v)\n", text, err)
	}
	return told + "# " + e.broken + "\n"
}
