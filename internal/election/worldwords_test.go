package election

import (
	"fmt"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/indexes"
	"github.com/seed-a1d591d3/leadership/store"
)

// say adds a line to what has happened.
func (w *world) say(format string, args ...any) {
	w.lines = append(w.lines, fmt.Sprintf("%-9v %s", rounded(w.now), fmt.Sprintf(format, args...)))
}

// rounded is a time without the digits that nobody wants to read.
func rounded(at time.Duration) time.Duration { return at.Round(time.Millisecond) }

// violate tells of what no history may show.
func (w *world) violate(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.violations = append(w.violations, fmt.Sprintf("%v: %s", w.now, text))
	w.say("VIOLATION: %s", text)
}

// coverDo, coverOp, coverEvent, coverCause and coverVerdict name what has occurred.
func coverDo(d Do) string           { return fmt.Sprintf("step %d", d) }
func coverOp(op string) string      { return "write " + op }
func coverEvent(k EventKind) string { return fmt.Sprintf("event %d", k) }
func coverCause(cause Cause) string { return fmt.Sprintf("cause %d", cause) }
func coverVerdict(v Verdict) string { return fmt.Sprintf("verdict %d", v) }

// describeStep tells what a candidate asks of the store.
func describeStep(c *candidate, s Step) string {
	rec := s.Record
	switch {
	case s.Do == Look:
		return c.name + " looks"
	case s.Do == End:
		return fmt.Sprintf("%s ends session %s", c.name, s.Seen.Session)
	case s.Op == "claim":
		return fmt.Sprintf("%s claims term %d, beat %d", c.name, rec.Token, rec.Beat)
	case s.Op == "renew":
		return fmt.Sprintf("%s renews term %d, beat %d", c.name, rec.Token, rec.Beat)
	case s.Op == "vacate":
		return fmt.Sprintf("%s gives up the seat (%s), beat %d", c.name, rec.Last.Reason, rec.Beat)
	case s.Op == "enlist":
		return c.name + " enters itself among those that wait"
	}
	return fmt.Sprintf("%s writes (%s)", c.name, s.Op)
}

// describe tells what is stored, as it looks to a candidate, or to nobody in particular.
func describe(pair *store.KVPair, by *candidate) string {
	if pair == nil {
		return "no record"
	}
	rec, err := parsePair(pair)
	if err != nil {
		return "a foreign value"
	}
	var b strings.Builder
	switch {
	case !rec.Held() && rec.Kind == Sessions.Kind:
		b.WriteString("the session has ended")
	case !rec.Held():
		fmt.Fprintf(&b, "the seat is vacant after term %d", rec.Token)
	case by != nil && by.machine.MayHaveWritten(rec):
		fmt.Fprintf(&b, "its own term %d, beat %d", rec.Token, rec.Beat)
	case by != nil && rec.Instance == by.machine.by.Instance:
		fmt.Fprintf(&b, "term %d in its name, beat %d", rec.Token, rec.Beat)
	case by != nil && rec.Leader == by.name:
		fmt.Fprintf(&b, "term %d of an earlier %s, beat %d", rec.Token, rec.Leader, rec.Beat)
	default:
		fmt.Fprintf(&b, "term %d of %s, beat %d", rec.Token, rec.Leader, rec.Beat)
	}
	if rec.Session != "" {
		fmt.Fprintf(&b, "; on %s", rec.Session)
	}
	if rec.Last != nil {
		fmt.Fprintf(&b, "; before: %s, %s", rec.Last.Leader, rec.Last.Reason)
	}
	for _, waiter := range rec.Waiting {
		fmt.Fprintf(&b, "; waiting: %s, priority %d", waiter.Node, waiter.Priority)
	}
	if rec.Ask != nil {
		fmt.Fprintf(&b, "; %s", asks(rec.Ask))
	}
	return b.String()
}

// rode tells what a look has found of the session that the record names.
func (w *world) rode(c *candidate, e *exchange) string {
	if e.ride == nil {
		return ""
	}
	rec, _ := parsePair(e.pair)
	text := fmt.Sprintf("; %s: ", rec.Session)
	switch s := e.ride.Rec; {
	case e.ride.Left:
		text += "its own, and left"
	case e.ride.Pair == nil:
		text += "missing"
	case !s.Held():
		text += "ended"
	default:
		text += fmt.Sprintf("beat %d", s.Beat)
	}
	if v := c.machine.view; v.Known && v.Rec.Ride != nil && indexes.Same(v.Rec.Beats(), Record{Ride: e.ride}.Beats()) {
		text += ", as before"
	}
	return text
}

// lapsed tells why a lease has run out.
func (w *world) lapsed(c *candidate) string {
	if s := c.lease.session; s != nil && (s.lease != c.lease.on || w.left(s) == 0) {
		return "its session is over"
	}
	return "its time has run out"
}

// asks tells what an operator asks.
func asks(r *Request) string {
	by := r.By
	if by == "" {
		by = "somebody"
	}
	switch to, hold := r.Transfers(); {
	case to != "":
		return fmt.Sprintf("%s asks for a transfer to %s, held for %v", by, to, hold)
	case r.Do == Pause && r.Keep:
		return by + " asks to pause, but to keep the leader"
	case r.Do == Pause:
		return by + " asks to pause"
	}
	return by + " asks it to " + string(r.Do)
}

// because tells why a lease is to end.
func because(e Event) string {
	switch e.Cause {
	case LostTo:
		return fmt.Sprintf("the record is of term %d now", e.Record.Token)
	case LostToForeign:
		return "its record was overwritten"
	case LostToCopy:
		return "the record is not as it wrote it"
	case ByRequest:
		return asks(e.Request)
	case ByHealth:
		return "it is unhealthy"
	case BySchedule:
		return "it has led for as long as it may"
	}
	return fmt.Sprintf("cause %d", e.Cause)
}

// afterwards tells what events say of the call that has just returned.
func (w *world) afterwards(c *candidate, events []Event) string {
	var b strings.Builder
	for _, e := range events {
		switch {
		case e.Kind == Renewed && w.left(c) > 0 && e.Start != c.lease.start:
			fmt.Fprintf(&b, ", trusted until %s", w.trustedUntil(c, e.Start))
		case e.Kind == Failed:
			b.WriteString(" (reported)")
		}
	}
	return b.String()
}

// tell tells of an event that is only reported.
func (w *world) tell(c *candidate, e Event) {
	switch e.Kind {
	case Changed, Failed: // see afterwards
	case Rewriting:
		w.say("%s finds the record of term %d lost, and will write it again (reported)", c.name, e.Record.Token)
	case Copied:
		w.say("%s goes on as somebody else: another process wrote term %d in its name (reported)", c.name, e.Record.Token)
	case Unfollowed:
		w.say("%s cannot follow token %d", c.name, c.machine.view.Rec.Token)
	case Condemned:
		w.say("%s condemns the store: the write returned index %d, a read finds %d", c.name, e.Wrote.LastIndex, e.Found.LastIndex)
	default:
		w.say("%s: event %d", c.name, e.Kind)
	}
}

// verdict tells what the law allows a candidate, by what it has seen.
func (w *world) verdict(c *candidate, holds bool) string {
	v, until := Decide(&c.machine.view, &c.machine.by, holds, w.clockOf(c).Mono)
	w.covered[coverVerdict(v)] = true
	switch v {
	case MustWait:
		return fmt.Sprintf("has to wait until %v", rounded(until+c.slept))
	case MayTake:
		return "may take the seat"
	case MustEnd:
		return "may take the seat once it has ended session " + c.machine.view.Rec.Session
	case MayRenew:
		return "may renew its term"
	case MustLeave:
		return "has to go: " + string(c.machine.view.Rec.Ask.ReasonToGo(c.name))
	case MustNot:
		return "may not take the seat: it is to stay empty"
	case CannotFollow:
		return "may not take the seat: no token can follow"
	}
	return fmt.Sprintf("verdict %d", v)
}

// trustedUntil returns when a trust that runs from start ends.
func (w *world) trustedUntil(c *candidate, start clock.Instant) string {
	until := w.now + c.cfg.Trust - w.clockOf(c).Since(start)
	if c.lease.session != nil {
		return fmt.Sprintf("%v, or as long as %s", rounded(until), c.lease.session.key)
	}
	return rounded(until).String()
}

// rest tells what candidates that took steps wait for.
func (w *world) rest() {
	for _, c := range w.acted {
		switch {
		case c.state != running:
		case c.machine.call != nil && c.until == clock.Never:
			w.say("%s waits for its call", c.name)
		case c.until == clock.Never && c.machine.hasTerm():
			w.say("%s waits for its work to return", c.name)
		case c.until == clock.Never:
			w.say("%s waits", c.name)
		default:
			w.say("%s waits until %v", c.name, rounded(c.until+c.slept))
		}
	}
	w.acted = nil
}

// checkLeaders sees that no two trust a term at once.
func (w *world) checkLeaders() {
	var leaders []string
	for _, c := range w.candidates {
		if c.key == "" && w.left(c) > 0 {
			leaders = append(leaders, fmt.Sprintf("%s (term %d)", c.name, c.lease.token))
		}
	}
	together := strings.Join(leaders, ", ")
	switch {
	case together == w.leaders:
	case len(leaders) < 2:
	case w.allowTwo:
		w.say("TWO LEAD: %s", together)
	default:
		w.violate("two lead: %s", together)
	}
	w.leaders = together
}

// checkToken sees that tokens rise, and so that a term that is over does not begin again.
func (w *world) checkToken(c *candidate, token uint64) {
	r := w.at(c.key)
	if token <= r.highest {
		w.violate("term %d begins after term %d", token, r.highest)
	}
	r.highest = max(r.highest, token)
}

// checkWrite sees that no foreign value is overwritten, and that the seat is given up only
// after the trust, and the work (S8). What has ended a session is not overwritten, and nobody
// trusts a session that has (S11).
func (w *world) checkWrite(c *candidate, key string, s Step) {
	stored := w.at(key).stored
	replaces := stored != nil && s.Previous != nil && s.Previous.LastIndex == stored.LastIndex
	rec, err := parsePair(stored)
	if err != nil && replaces {
		w.violate("%s overwrites a foreign value", c.name)
	}
	if replaces && key != "" && !rec.Held() {
		w.violate("%s overwrites the end of session %s", c.name, key)
	}
	for _, owner := range w.candidates {
		if s.Do == End && owner.key == key && replaces && w.left(owner) > 0 {
			w.violate("%s ends session %s, which is trusted", c.name, key)
		}
	}
	if s.Op == "vacate" && (w.left(c) > 0 || c.working) {
		w.violate("%s gives up the seat before its term has ended", c.name)
	}
	if s.Op == "claim" && w.left(c) > 0 {
		w.violate("%s claims a term while it leads one", c.name)
	}
}
