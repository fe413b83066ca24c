package history

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// span is an interval of time.
type span struct{ from, to Stamp }

func (s span) length() time.Duration { return s.to.Sub(s.from) }

// gap is a time in which nobody led, and a line by which somebody could.
type gap struct {
	span
	sound Witness
}

// allowed is for how long a seat may be empty, or a follower wrong: the longest TTL and
// retry interval, and the slack.
func (c *checker) allowed() time.Duration {
	var ttl, retry time.Duration
	for _, log := range c.logs {
		ttl, retry = max(ttl, log.TTL), max(retry, log.Retry)
	}
	return ttl + retry + c.limits.Slack
}

// sound returns the intervals in which each node was sound, and the whole of the run.
func (c *checker) sound() (of map[string][]Witness, all span) {
	of = make(map[string][]Witness)
	for _, log := range c.logs {
		for _, line := range log.Lines {
			if line.Kind == Sound {
				of[line.What] = append(of[line.What], Witness{log, line})
				all.to = max(all.to, line.After)
			}
		}
	}
	return of, all
}

// stands reports whether a node has a candidate.
func (c *checker) stands(node string) bool {
	return node == "*" || slices.ContainsFunc(c.logs, func(p *Log) bool { return p.Node == node && p.Mode != Following })
}

// seat looks for times when nobody led, although somebody could.
func (c *checker) seat() {
	var led []span
	for _, log := range c.logs {
		for _, line := range log.Lines {
			if line.leads() && line.Token == 0 {
				led = append(led, span{line.Before, line.After})
			}
		}
	}
	for _, t := range c.terms {
		led = append(led, span{min(t.first.Line.Before, t.to()), max(t.from(), t.last.Line.After)})
	}
	slices.SortFunc(led, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	sound, all := c.sound()
	var empty []span
	for _, s := range append(led, span{all.to, all.to}) {
		if s.from > all.from {
			empty = append(empty, span{all.from, s.from})
		}
		all.from = max(all.from, s.to)
	}
	worst := make(map[Stamp]gap) // by when the seat fell empty
	for node, intervals := range sound {
		if !c.stands(node) {
			continue
		}
		slices.SortFunc(intervals, func(a, b Witness) int { return cmp.Compare(a.Line.Before, b.Line.Before) })
		next := 0
		for _, w := range intervals {
			for next < len(empty) && empty[next].to <= w.Line.Before {
				next++
			}
			for _, e := range empty[next:] {
				if e.from >= w.Line.After {
					break
				}
				g := gap{span{max(e.from, w.Line.Before), min(e.to, w.Line.After)}, w}
				if g.length() > worst[e.from].length() {
					worst[e.from] = g
				}
			}
		}
	}
	allowed := c.allowed()
	for _, g := range worst {
		c.LongestEmpty = max(c.LongestEmpty, g.length())
		if g.length() > allowed {
			c.found(EmptySeat, g.sound.Line.What, fmt.Sprintf("nobody led for %v, from %v on, while %s could",
				g.length(), time.Duration(g.from), g.sound.Line.What), g.sound)
		}
	}
}

// followers looks for followers that go on naming a leader of the past.
func (c *checker) followers() {
	sound, _ := c.sound()
	later := c.later()
	allowed := c.allowed()
	for _, log := range c.logs {
		intervals := append(slices.Clone(sound[log.Node]), sound["*"]...)
		var told *Witness
		check := func(until Stamp) {
			if told == nil || told.Line.Token == 0 {
				return
			}
			i, found := slices.BinarySearchFunc(c.terms, told.Line.Token, func(t *term, token uint64) int { return cmp.Compare(t.token, token) })
			if !found || later[i] == nil {
				return
			}
			next := later[i]
			for _, w := range intervals {
				from := max(next.from(), w.Line.Before, told.Line.After)
				if late := min(until, w.Line.After).Sub(from); late > allowed {
					c.found(LateFollower, log.Node, fmt.Sprintf("a follower named the leader of term %d for %v after it could know of term %d", told.Line.Token, late, next.token), *told, next.first)
				}
			}
		}
		end := Stamp(0)
		for _, line := range log.Lines {
			end = max(end, line.After)
			if line.Kind == Follow {
				check(line.After)
				told = &Witness{log, line}
			}
		}
		check(end)
	}
}
