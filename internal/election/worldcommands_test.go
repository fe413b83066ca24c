package election

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
)

// commands are what can be told to a world. After each, the candidates that it concerns
// take steps until they have to wait.
var commands = map[string]func(*world, command) error{
	// Candidates.
	"new":          (*world).newCandidate, // new NAME [session] [rides=SESSION] [idle] [priority=N] [works] [relinquish=DURATION] [each-minute] [clock=DURATION since 1970]
	"ride":         (*world).ride,         // ride NAME SESSION: the process has another session now
	"start":        (*world).start,        // begin a campaign: of one that was made idle, once more, or in another process after a crash
	"stop":         (*world).stop,         // end the campaign
	"resign":       (*world).resign,       // end the term
	"work-returns": on((*world).endWork),
	"well":         on(func(w *world, c *candidate) error { c.health = health{well: true}; return nil }),
	"unwell":       on(func(w *world, c *candidate) error { c.health = health{}; return nil }),          // a check has failed
	"ill":          on(func(w *world, c *candidate) error { c.health = health{ill: true}; return nil }), // as many in a row as a leader may
	"copy":         (*world).copyCandidate,                                                              // copy NAME as NAME [rides=SESSION]: clone the machine, with its session

	// Processes and time.
	"pass":    (*world).pass,     // let a time pass, in which all take steps
	"crash":   (*world).crash,    // the process is gone
	"pause":   (*world).pause,    // the process takes no steps
	"suspend": (*world).suspend,  // nor does its monotonic clock go on
	"wake":    (*world).wake,     // after a pause or suspension
	"set":     (*world).setClock, // set NAME DURATION: the wall clock is set forward, or back

	// The store. What becomes of a call that is under way, or else of the next: by "write", of
	// the next write, though a look comes before it.
	"hold":       (*world).hold,      // it stays under way
	"deliver":    (*world).reach,     // the store does what it asks for
	"answer":     (*world).reply,     // and its reply arrives
	"lose-reply": fails(losing),      // a write happens, but its reply is lost
	"fail":       fails(failing),     // it fails, and nothing has happened
	"refuse":     fails(refusing),    // a write is refused, whatever is stored
	"hint":       (*world).hints,     // hint NAME [old]: the watch shows what is stored, or what was before
	"store":      (*world).store,     // store down, refusing (all writes), unsafe (it does not compare and swap), or up
	"delete":     (*world).deleteKey, // the record is deleted
	"put-back":   (*world).putBack,   // put-back N: the record is as it was N writes ago
	"put":        (*world).put,       // put VALUE: it is overwritten by something else
	"edit":       (*world).edit,      // edit [beat=N] [token=N]: it is written again by hand, with these changed
	"ask":        (*world).ask,       // ask resign, transfer to=NODE hold=DURATION, pause [keep], resume; by=WHO
	"show":       (*world).show,      // show the record

	// The rest.
	"verdict":   (*world).tellVerdict, // verdict NAME [holds]: what the law allows it, or one whose term stands though it leads no more
	"by-hand":   (*world).takeOver,    // from now on all calls are held, and candidates take steps only when told to
	"step":      (*world).stepByHand,
	"allow-two": (*world).letTwoLead, // two may lead at once from now on, for this is what the docs do not promise
}

// command is a line of input.
type command struct {
	words []string          // without the first
	named map[string]string // those of the form name=value
}

// do carries a command out, and returns what happened.
func (w *world) do(line string) ([]string, error) {
	cmd := command{named: map[string]string{}}
	verb, rest, _ := strings.Cut(line, " ")
	for _, word := range strings.Fields(rest) {
		if name, value, ok := strings.Cut(word, "="); ok {
			cmd.named[name] = value
		} else {
			cmd.words = append(cmd.words, word)
		}
	}
	f := commands[verb]
	if f == nil {
		return nil, fmt.Errorf("%q: no such command", line)
	}
	w.lines = nil
	if err := f(w, cmd); err != nil {
		return nil, fmt.Errorf("%q: %w", line, err)
	}
	w.rest()
	w.checkLeaders()
	return w.lines, nil
}

// candidate returns the one that a command names first.
func (w *world) candidate(cmd command) (*candidate, error) {
	for _, c := range w.candidates {
		if len(cmd.words) > 0 && c.name == cmd.words[0] {
			return c, nil
		}
	}
	return nil, fmt.Errorf("name a candidate")
}

// on makes the command of what concerns one candidate, which takes steps then.
func on(f func(*world, *candidate) error) func(*world, command) error {
	return func(w *world, cmd command) error {
		c, err := w.candidate(cmd)
		if err == nil {
			err = f(w, c)
		}
		if err == nil && !w.byHand {
			w.run(c)
		}
		return err
	}
}

func (w *world) newCandidate(cmd command) error {
	for _, name := range cmd.words {
		if slices.Contains([]string{"works", "idle", "each-minute", "session"}, name) {
			continue
		}
		c := &candidate{name: name, health: health{well: true}, epoch: worldEpoch, state: finished}
		c.by, c.works = Claimant{Node: name, TTL: worldTTL, Hold: worldRetry}, slices.Contains(cmd.words, "works")
		c.cfg = Config{
			Trust: worldTrust, Renew: worldRetry, Retry: worldRetry, Limit: worldRetry,
			Schedule: Schedule{Skip: worldRetry},
			Dice: Dice{
				Float64: func() float64 { return 0 },
				Stride:  func() uint32 { return 0 },
				Instance: func() string {
					c.copies++
					return fmt.Sprintf("%s-%d-%d", c.name, c.campaigns, c.copies)
				},
			},
		}
		if slices.Contains(cmd.words, "session") {
			c.key, c.cfg.Once, c.by.Format = name, true, Sessions
		}
		if session := cmd.named["rides"]; session != "" {
			c.cfg.Rides, c.cfg.Trust = true, 2*worldTrust
			if err := w.carry(c, session); err != nil {
				return err
			}
		}
		for option, value := range cmd.named {
			if option == "rides" {
				continue
			}
			d, err := time.ParseDuration(value)
			switch option {
			case "priority":
				c.by.Priority, err = strconv.Atoi(value)
			case "relinquish":
				c.cfg.Schedule.After = d
			case "clock":
				c.epoch = d - w.now
			default:
				return fmt.Errorf("no such option: %s", option)
			}
			if err != nil {
				return err
			}
		}
		w.candidates = append(w.candidates, c)
		if slices.Contains(cmd.words, "each-minute") {
			c.cfg.Schedule.Next = func(after time.Time) time.Time { return after.Truncate(time.Minute).Add(time.Minute) }
		}
		if !slices.Contains(cmd.words, "idle") {
			w.begin(c)
		}
	}
	return nil
}

// carry has the next terms of a candidate ride on a session.
func (w *world) carry(c *candidate, session string) error {
	i := slices.IndexFunc(w.candidates, func(s *candidate) bool { return s.key != "" && s.name == session })
	if i < 0 {
		return fmt.Errorf("no such session: %s", session)
	}
	c.rides = w.candidates[i]
	return nil
}

func (w *world) ride(cmd command) error {
	return on(func(w *world, c *candidate) error { return w.carry(c, cmd.words[1]) })(w, cmd)
}

func (w *world) start(cmd command) error {
	c, err := w.candidate(cmd)
	if err != nil {
		return err
	}
	switch c.state {
	case finished:
	case crashed:
		c.issued = Issued{}
	default:
		return fmt.Errorf("it is running")
	}
	w.begin(c)
	return nil
}

func (w *world) stop(cmd command) error {
	return on(func(w *world, c *candidate) error {
		w.end(c, Resigned)
		c.stopping = true
		return nil
	})(w, cmd)
}

func (w *world) resign(cmd command) error {
	return on(func(w *world, c *candidate) error {
		w.end(c, Resigned)
		return nil
	})(w, cmd)
}

func (w *world) endWork(c *candidate) error {
	if !c.working {
		return fmt.Errorf("no work")
	}
	c.returned = true
	return nil
}

// copyCandidate clones a machine with all that its process remembers. Only the random
// numbers of the two differ.
func (w *world) copyCandidate(cmd command) error {
	c, err := w.candidate(cmd)
	if err != nil || len(cmd.words) != 3 {
		return fmt.Errorf("copy NAME as NAME")
	}
	clone := *c
	m := *c.machine
	m.writes.sent = slices.Clone(m.writes.sent)
	clone.machine, clone.name = &m, cmd.words[2]
	m.issued = &clone.issued
	cfg := *m.cfg // the original has its own
	cfg.Stride = func() uint32 { return 100 }
	cfg.Instance = func() string { return clone.name + "-1" }
	m.cfg = &cfg
	if c.lease != nil {
		lease := *c.lease
		clone.lease = &lease
	}
	if session := cmd.named["rides"]; session != "" {
		if err := w.carry(&clone, session); err != nil {
			return err
		}
		if clone.lease != nil {
			clone.lease.session, clone.lease.on = clone.rides, clone.rides.lease
		}
	}
	w.candidates = append(w.candidates, &clone)
	return nil
}

func (w *world) crash(cmd command) error {
	c, err := w.candidate(cmd)
	if err == nil {
		c.state, c.lease, c.working = crashed, nil, false
		c.late, c.gone, c.call = c.call, nil, nil
	}
	return err
}

func (w *world) pause(cmd command) error {
	c, err := w.candidate(cmd)
	if err == nil {
		c.state = paused
	}
	return err
}

func (w *world) suspend(cmd command) error {
	c, err := w.candidate(cmd)
	if err == nil {
		c.state = suspended
	}
	return err
}

func (w *world) wake(cmd command) error {
	return on(func(w *world, c *candidate) error {
		if c.state != paused && c.state != suspended {
			return fmt.Errorf("it is awake")
		}
		c.state = running
		return nil
	})(w, cmd)
}

func (w *world) setClock(cmd command) error {
	return on(func(w *world, c *candidate) error {
		by, err := time.ParseDuration(cmd.words[1])
		c.epoch += by
		return err
	})(w, cmd)
}

// pass lets time pass: all take steps when they have to.
func (w *world) pass(cmd command) error {
	if len(cmd.words) != 1 {
		return fmt.Errorf("for how long?")
	}
	d, err := time.ParseDuration(cmd.words[0])
	if err != nil {
		return err
	}
	for end := w.now + d; ; {
		next := end
		for _, c := range w.candidates {
			next = min(next, w.due(c))
		}
		w.advance(max(0, next-w.now))
		for _, c := range w.candidates {
			if w.due(c) <= w.now {
				w.run(c)
			}
		}
		if w.now >= end || len(w.violations) > 0 {
			return nil
		}
	}
}

// due returns when a candidate has to take steps.
func (w *world) due(c *candidate) time.Duration {
	if c.state != running || w.byHand {
		return clock.Never
	}
	at := clock.Later(c.until, c.slept)
	if c.lease != nil && !c.lease.over {
		at = min(at, w.now+w.left(c))
	}
	return at
}

func (w *world) advance(d time.Duration) {
	w.now += d
	for _, c := range w.candidates {
		if c.state == suspended {
			c.slept += d
		}
	}
}

func (w *world) tellVerdict(cmd command) error {
	c, err := w.candidate(cmd)
	if err == nil {
		w.say("%s %s", c.name, w.verdict(c, w.left(c) > 0 || slices.Contains(cmd.words, "holds")))
	}
	return err
}

func (w *world) takeOver(command) error   { w.byHand = true; return nil }
func (w *world) letTwoLead(command) error { w.allowTwo = true; return nil }

func (w *world) stepByHand(cmd command) error {
	c, err := w.candidate(cmd)
	if err == nil {
		w.run(c)
	}
	return err
}
