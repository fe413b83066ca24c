package election

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// underWay returns the call of a candidate that a command is about, or nil: by "late" one
// that an earlier campaign has left under way.
func (c *candidate) underWay(cmd command) *exchange {
	if c.call == nil || slices.Contains(cmd.words, "late") {
		return c.late
	}
	return c.call
}

// fails makes the command of a fault: of the call under way, or else of the next.
func fails(f fault) func(*world, command) error {
	return func(w *world, cmd command) error {
		c, err := w.candidate(cmd)
		if err != nil {
			return err
		}
		e := c.underWay(cmd)
		if e == nil {
			c.fault, c.write = f, f != failing || slices.Contains(cmd.words, "write")
			return nil
		}
		if f == losing && !e.delivered {
			w.deliver(c, e)
		}
		e.failed, e.refused = true, f == refusing
		w.returns(c, e)
		w.run(c)
		return nil
	}
}

func (w *world) hold(cmd command) error {
	c, err := w.candidate(cmd)
	if err == nil {
		c.fault, c.write = holding, slices.Contains(cmd.words, "write")
	}
	return err
}

func (w *world) reach(cmd command) error {
	return on(func(w *world, c *candidate) error {
		e := c.underWay(cmd)
		if e == nil || e.delivered {
			return fmt.Errorf("nothing to deliver")
		}
		w.deliver(c, e)
		switch {
		case e.step.Do == Look:
			w.say("the store reads for %s: %s", c.name, describe(e.pair, nil))
		case e.refused:
			w.say("the store refuses what %s wrote", c.name)
		default:
			w.say("the store has what %s wrote: %s", c.name, describe(e.pair, nil))
		}
		return nil
	})(w, cmd)
}

func (w *world) reply(cmd command) error {
	return on(func(w *world, c *candidate) error {
		e := c.underWay(cmd)
		if e == nil {
			return fmt.Errorf("nothing to answer")
		}
		if !e.delivered {
			w.deliver(c, e)
		}
		w.returns(c, e)
		return nil
	})(w, cmd)
}

// returns has a call return. One that a campaign has left under way is followed by what
// campaign.release does: a claim that has landed is given up (S5).
func (w *world) returns(c *candidate, e *exchange) {
	e.answered = true
	if e != c.late {
		return
	}
	c.late = nil
	if e.step.Do != Put {
		return
	}
	if rec, err := parsePair(w.at(c.key).stored); c.gone != nil && err == nil && c.gone.MayHaveWritten(rec) {
		left := w.write(c.key, rec.Vacated(NextBeat(rec.Beat, 0), c.gone.Leaving()).Encode())
		w.say("%s, whose campaign has ended, gives up what it had claimed: %s", c.name, describe(left, nil))
	}
}

func (w *world) hints(cmd command) error {
	return on(func(w *world, c *candidate) error {
		r := w.at(c.key)
		c.hint = &hint{r.stored}
		if slices.Contains(cmd.words, "old") {
			c.hint.pair = r.history[len(r.history)-2]
		}
		return nil
	})(w, cmd)
}

func (w *world) store(cmd command) error {
	state := strings.Join(cmd.words, " ")
	if !slices.Contains([]string{"down", "refusing", "unsafe", "up"}, state) {
		return fmt.Errorf("down, refusing, unsafe or up?")
	}
	w.down, w.refusing, w.unsafe = state == "down", state == "refusing", state == "unsafe"
	return nil
}

// operated returns the key that an operator's command is about: that of the seat, unless it
// says key=SESSION.
func (cmd command) operated() string { return cmd.named["key"] }

// shows tells what an operator has made of the record.
func (w *world) shows(cmd command) error {
	w.say("stored: %s", describe(w.at(cmd.operated()).stored, nil))
	return nil
}

func (w *world) show(cmd command) error {
	r := w.at(cmd.operated())
	if r.stored == nil {
		return w.shows(cmd)
	}
	w.say("%s", r.stored.Value)
	return nil
}

func (w *world) deleteKey(cmd command) error {
	w.write(cmd.operated(), nil)
	return w.shows(cmd)
}

func (w *world) putBack(cmd command) error {
	n, err := strconv.Atoi(cmd.words[0])
	history := w.at(cmd.operated()).history
	if err != nil || n < 1 || n >= len(history) {
		return fmt.Errorf("how many writes back?")
	}
	var value []byte
	if pair := history[len(history)-1-n]; pair != nil {
		value = pair.Value
	}
	w.write(cmd.operated(), value)
	return w.shows(cmd)
}

func (w *world) put(cmd command) error {
	w.write(cmd.operated(), []byte(cmd.words[0]))
	return w.shows(cmd)
}

// edit changes the record by hand.
func (w *world) edit(cmd command) error {
	rec, err := parsePair(w.at(cmd.operated()).stored)
	if err != nil {
		return err
	}
	for name, value := range cmd.named {
		if name == "key" {
			continue
		}
		n, err := strconv.ParseUint(value, 10, 64)
		if value == "last" {
			n, err = MaxToken-1, nil
		}
		switch {
		case err != nil:
			return err
		case name == "beat":
			rec.Beat = n
		case name == "token":
			rec.Token = n
		default:
			return fmt.Errorf("no such field: %s", name)
		}
	}
	w.write(cmd.operated(), rec.Encode())
	return w.shows(cmd)
}

// ask writes an operator's request, as leadership.Ask does.
func (w *world) ask(cmd command) error {
	rec, err := parsePair(w.seat.stored)
	if err != nil || len(cmd.words) == 0 {
		return fmt.Errorf("ask whom for what? %w", err)
	}
	if w.seat.stored == nil {
		rec = Record{Token: 1}
	}
	r := &Request{Do: Action(cmd.words[0]), To: cmd.named["to"], Keep: slices.Contains(cmd.words, "keep"), By: cmd.named["by"]}
	switch r.Do {
	case Resume:
		r = nil
	case Transfer:
		hold, err := time.ParseDuration(cmd.named["hold"])
		if err != nil {
			return err
		}
		r.Millis = hold.Milliseconds()
	}
	rec.Ask = r
	w.write(cmd.operated(), rec.Encode())
	return w.shows(cmd)
}
