package history

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"time"
)

// ended looks for answers 'I lead' in terms that their holders knew to be over.
func (c *checker) ended() {
	over := make(map[uint64]Witness) // the first that tells so, of each token
	untold := make(map[holder]*denials)
	for _, log := range c.logs {
		for _, line := range log.Lines {
			w := Witness{log, line}
			switch {
			case !line.denies() && line.Kind != Resign:
			case line.Token == 0:
				if untold[log.holder()] == nil {
					untold[log.holder()] = new(denials)
				}
				untold[log.holder()].all = append(untold[log.holder()].all, w)
			default:
				if known, ok := over[line.Token]; !ok || line.After < known.Line.After {
					over[line.Token] = w
				}
			}
		}
	}
	for _, d := range untold {
		d.order()
	}
	for _, t := range c.terms {
		known, ok := over[t.token]
		if d := untold[t.holder]; d != nil {
			if w, found := d.after(t.from()); found && (!ok || w.Line.After < known.Line.After) {
				known, ok = w, true
			}
		}
		if ok && t.to() > known.Line.After {
			c.found(AfterEnd, t.last.Line.question(), fmt.Sprintf("%s said yes in term %d at least %v after that was known to be over",
				t.last.Line.question(), t.token, t.to().Sub(known.Line.After)), known, t.last)
		}
	}
}

// denials are answers of one holder that it does not lead, which tell no token: they end
// any term that had begun before they were asked.
type denials struct {
	all   []Witness // by when they were asked
	first []Witness // for each, the one that ended first of it and those after it
}

func (d *denials) order() {
	slices.SortFunc(d.all, func(a, b Witness) int { return cmp.Compare(a.Line.Before, b.Line.Before) })
	d.first = slices.Clone(d.all)
	for i := len(d.all) - 2; i >= 0; i-- {
		if d.first[i+1].Line.After < d.first[i].Line.After {
			d.first[i] = d.first[i+1]
		}
	}
}

// after returns the first that ended of those that were asked after from.
func (d *denials) after(from Stamp) (Witness, bool) {
	i := sort.Search(len(d.all), func(i int) bool { return d.all[i].Line.Before > from })
	if i == len(d.all) {
		return Witness{}, false
	}
	return d.first[i], true
}

// works looks for works that run beside each other, and for leaders that begin while
// the work of the one before them still runs, though it was not to be feared yet that
// its claim runs out.
func (c *checker) works() {
	working := make(map[uint64]Witness) // the last that shows that the work still ran
	trusted := make(map[uint64]Witness) // the Left that reaches farthest
	note := func(of map[uint64]Witness, w Witness, at func(Line) Stamp) {
		if known, ok := of[w.Line.Token]; !ok || at(w.Line) > at(known.Line) {
			of[w.Line.Token] = w
		}
	}
	for _, log := range c.logs {
		c.worksOf(log)
		for _, line := range log.Lines {
			switch {
			case line.Kind == Left && line.Answer == Yes:
				note(trusted, Witness{log, line}, Line.reaches)
			case line.Kind == Work && line.Answer == Ended || line.Kind == Ask && line.Token != 0 && (line.What == Err || line.What == Done):
				note(working, Witness{log, line}, func(l Line) Stamp { return l.Before })
			}
		}
	}
	later := c.later()
	for i, t := range c.terms {
		next := later[i]
		left, known := trusted[t.token]
		ran, ok := working[t.token]
		if known && ok && next != nil && next.from() < min(left.Line.reaches(), ran.Line.Before) {
			c.found(GivenUpEarly, "work", fmt.Sprintf("term %d had begun at least %v before the work of term %d ended, which was trusted for %v more",
				next.token, ran.Line.Before.Sub(next.from()), t.token, left.Line.reaches().Sub(next.from())), next.first, left, ran)
		}
	}
}

// reaches returns until when a Left promised that its term would not be over by itself.
func (l Line) reaches() Stamp {
	d, err := time.ParseDuration(l.What)
	if err != nil {
		return l.Before // of a question that was answered without a promise
	}
	return l.Before.Add(d)
}

// worksOf looks at the works of one process, which logs them in order.
func (c *checker) worksOf(log *Log) {
	var running *Witness
	for _, line := range log.Lines {
		if line.Kind != Work {
			continue
		}
		w := Witness{log, line}
		switch {
		case line.Answer == Begun && running != nil:
			c.found(TwoWorks, "work", fmt.Sprintf("the work of term %d began while that of term %d ran", line.Token, running.Line.Token), *running, w)
		case line.Answer == Begun:
			c.Works++
			running = &w
		case running != nil && running.Line.Token == line.Token:
			running = nil
		}
	}
}

// writes looks for writes that went through although one with a higher token had.
func (c *checker) writes() {
	for _, resource := range []string{Fenced, Unfenced} {
		var accepted []Witness
		for _, log := range c.logs {
			for _, line := range log.Lines {
				if line.Kind != Write || line.What != resource {
					continue
				}
				if line.Answer == Accepted {
					accepted = append(accepted, Witness{log, line})
				}
				if log.Role == Resource || resource != Fenced {
					continue
				}
				switch line.Answer {
				case Accepted:
					c.Accepted++
				case Refused:
					c.Refused++
				}
			}
		}
		slices.SortFunc(accepted, func(a, b Witness) int { return cmp.Compare(b.Line.Token, a.Line.Token) })
		var first, among Witness // that ended first, of all with higher tokens, and of those up to here
		for i, w := range accepted {
			if i > 0 && w.Line.Token < accepted[i-1].Line.Token {
				first = among
			}
			if among.Log == nil || w.Line.After < among.Line.After {
				among = w
			}
			if first.Log == nil || w.Line.Before <= first.Line.After {
				continue
			}
			if resource == Unfenced {
				if w.Log.Role == Resource {
					c.StaleUnfenced++
				}
				continue
			}
			c.Stale++
			c.found(StaleWrite, resource, fmt.Sprintf("token %d was accepted after %d had been", w.Line.Token, first.Line.Token), first, w)
		}
	}
}

// streams looks at the values that were received from the streams of a process, which
// logs them in order.
func (c *checker) streams(log *Log) {
	last := make(map[string]Witness)
	for _, line := range log.Lines {
		if line.Kind != Stream {
			continue
		}
		w := Witness{log, line}
		before, begun := last[line.What]
		switch {
		case !begun && line.Answer == Yes:
			c.found(Alternation, line.What, "a stream began with true", w)
		case begun && before.Line.Answer == Ended:
			c.found(Alternation, line.What, "a stream went on after its end", before, w)
		case begun && before.Line.Answer == line.Answer:
			c.found(Alternation, line.What, "a stream told the same twice", before, w)
		case begun && before.Line.Answer == Yes && line.Answer == Ended:
			c.found(Alternation, line.What, "a stream ended after true", before, w)
		}
		last[line.What] = w
	}
}

// vitals looks for what grows while a process runs, or is left over at its end.
func (c *checker) vitals(log *Log) {
	begun, least := make(map[string]Witness), make(map[string]Witness)
	grown := make(map[string]bool)
	limits := map[string]int{Goroutines: c.limits.Goroutines, Descriptors: c.limits.Descriptors}
	for _, line := range log.Lines {
		if line.Kind != Vitals {
			continue
		}
		w := Witness{log, line}
		switch line.Answer {
		case Begun:
			begun[line.What] = w
		case Ended:
			if first, ok := begun[line.What]; ok && line.Token > first.Line.Token {
				c.found(Leak, line.What, fmt.Sprintf("%d %s were left over", line.Token-first.Line.Token, line.What), first, w)
			}
		case Running:
			low, ok := least[line.What]
			if !ok || line.Token < low.Line.Token {
				least[line.What] = w
			} else if line.Token-low.Line.Token > uint64(limits[line.What]) && !grown[line.What] {
				grown[line.What] = true
				c.found(Leak, line.What, fmt.Sprintf("there were %d more %s than before", line.Token-low.Line.Token, line.What), low, w)
			}
		}
	}
}

// rounds looks for rounds that two nodes have won.
func (c *checker) rounds() {
	won := make(map[string]Witness)
	for _, log := range c.logs {
		for _, line := range log.Lines {
			if line.Kind != Round || line.Answer != Won {
				continue
			}
			w := Witness{log, line}
			first, ok := won[line.What]
			switch {
			case !ok:
				c.Rounds++
				won[line.What] = w
			case first.Log.Node != log.Node:
				c.found(TwoWinners, line.What, fmt.Sprintf("round %s has two winners", line.What), first, w)
			}
		}
	}
}
