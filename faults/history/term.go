package history

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
)

// holder is who can lead: one start of a node. A command of `leadership run` and its
// parent are one.
type holder struct {
	node        string
	incarnation int
}

// term is what is known of one token.
type term struct {
	token  uint64
	holder holder
	yes    []Witness // all that are known to be of it
	first  Witness   // the yes that ended first
	last   Witness   // the yes that was asked last
	shared bool      // another has said yes by the same token
}

// from is when the term had begun, to is when it was not over yet: at all instants
// between the two, if from is before to, the holder led.
func (t *term) from() Stamp { return t.first.Line.After }
func (t *term) to() Stamp   { return t.last.Line.Before }

func (t *term) add(w Witness) {
	if len(t.yes) == 0 || w.Line.After < t.from() {
		t.first = w
	}
	if len(t.yes) == 0 || w.Line.Before > t.to() {
		t.last = w
	}
	t.yes = append(t.yes, w)
}

// leads reports whether a line is an answer 'I lead'.
func (l Line) leads() bool { return (l.Kind == Ask || l.Kind == Left) && l.Answer == Yes }

// denies reports whether a line is an answer 'I do not lead'.
func (l Line) denies() bool { return (l.Kind == Ask || l.Kind == Left) && l.Answer == No }

func (l Line) question() string {
	if l.Kind == Left {
		return "Trust"
	}
	return l.What
}

func (p *Log) holder() holder { return holder{p.Node, p.Incarnation} }

// collect gathers the terms, and who has one that belongs to another.
func (c *checker) collect() {
	terms := make(map[uint64]*term)
	for _, log := range c.logs {
		for _, line := range log.Lines {
			if !line.leads() {
				continue
			}
			c.Yes[line.question()]++
			if line.Token == 0 {
				continue
			}
			w := Witness{log, line}
			t := terms[line.Token]
			if t == nil {
				t = &term{token: line.Token, holder: log.holder()}
				terms[line.Token] = t
				c.terms = append(c.terms, t)
			}
			if t.holder != log.holder() {
				c.Overlaps[line.question()]++
				if !t.shared {
					t.shared = true
					c.found(TokenTwice, line.question(), fmt.Sprintf("term %d has two holders", line.Token), t.first, w)
				}
				continue
			}
			t.add(w)
		}
	}
	slices.SortFunc(c.terms, func(a, b *term) int { return cmp.Compare(a.token, b.token) })
	c.Terms += len(c.terms)
	c.attribute()
}

// attribute finds the terms of answers that tell no token: a holder that led the same term
// before and after it led no other meanwhile. The others are c.untold.
func (c *checker) attribute() {
	of := make(map[holder][]*term)
	for _, t := range c.terms {
		of[t.holder] = append(of[t.holder], t)
	}
	own := make(map[holder]*spans)
	for h, terms := range of {
		own[h] = newSpans(terms, func(a, b *term) bool { return a == b })
	}
	for _, log := range c.logs {
		for _, line := range log.Lines {
			if !line.leads() || line.Token != 0 {
				continue
			}
			w := Witness{log, line}
			if spans := own[log.holder()]; spans != nil {
				if t := spans.around(line.Before, line.After, func(*term) bool { return true }); t != nil {
					t.yes = append(t.yes, w)
					continue
				}
			}
			c.untold = append(c.untold, w)
		}
	}
}

// leaders looks for answers 'I lead' that another's term proves wrong.
func (c *checker) leaders() {
	later := c.later()
	spans := newSpans(c.terms, func(a, b *term) bool { return a == b })
	for i, t := range c.terms {
		next := later[i]
		if next == nil || t.to() <= next.from() {
			continue
		}
		// The holder of t still led after the holder of next had begun.
		late := make(map[string]Witness)
		for _, w := range t.yes {
			if w.Line.Before > next.from() {
				c.Overlaps[w.Line.question()]++
				if before, ok := late[w.Line.question()]; !ok || w.Line.Before > before.Line.Before {
					late[w.Line.question()] = w
				}
			}
		}
		kind := TokenOrder
		if spans.around(t.to(), t.from(), func(u *term) bool { return u != t }) != nil {
			kind = Overlap // whatever their order was
		}
		for question, w := range late {
			c.found(kind, question, fmt.Sprintf("%s said yes in term %d at least %v after term %d had begun",
				question, t.token, w.Line.Before.Sub(next.from()), next.token), next.first, w)
		}
	}
	c.within()
}

// later returns for each term the one of those with higher tokens that began first.
func (c *checker) later() []*term {
	later := make([]*term, len(c.terms))
	var first *term
	for i := len(c.terms) - 1; i >= 0; i-- {
		later[i] = first
		if first == nil || c.terms[i].from() < first.from() {
			first = c.terms[i]
		}
	}
	return later
}

// within looks for answers of unknown terms within a term of another holder.
func (c *checker) within() {
	spans := newSpans(c.terms, func(a, b *term) bool { return a.holder == b.holder })
	worst := make(map[*term]Witness)
	for _, w := range c.untold {
		me := w.Log.holder()
		if of := spans.around(w.Line.Before, w.Line.After, func(t *term) bool { return t.holder != me }); of != nil {
			c.Overlaps[w.Line.question()]++
			if known, ok := worst[of]; !ok || w.Line.Before > known.Line.Before {
				worst[of] = w
			}
		}
	}
	for of, w := range worst {
		c.found(Overlap, w.Line.question(), fmt.Sprintf("%s said yes at least %v after term %d of another had begun, which was not over",
			w.Line.question(), w.Line.Before.Sub(of.from()), of.token), of.first, of.last, w)
	}
}

// spans are terms in the order in which they began, and for each the two of those up to
// there that lasted longest, which are not the same by some measure.
type spans struct {
	terms   []*term
	longest [][2]*term
}

func newSpans(terms []*term, same func(a, b *term) bool) *spans {
	s := &spans{terms: slices.Clone(terms)}
	slices.SortFunc(s.terms, func(a, b *term) int { return cmp.Compare(a.from(), b.from()) })
	var two [2]*term
	for _, t := range s.terms {
		switch {
		case two[0] == nil:
			two[0] = t
		case same(two[0], t):
			if t.to() > two[0].to() {
				two[0] = t
			}
		case t.to() > two[0].to():
			two[0], two[1] = t, two[0]
		case two[1] == nil || t.to() > two[1].to():
			two[1] = t
		}
		s.longest = append(s.longest, two)
	}
	return s
}

// around returns a term, of those that other allows, that had begun before one stamp and
// was not over after another; or nil. other must exclude no more than one that is the
// same as another.
func (s *spans) around(before, after Stamp, other func(*term) bool) *term {
	n := sort.Search(len(s.terms), func(i int) bool { return s.terms[i].from() >= before })
	if n == 0 {
		return nil
	}
	for _, t := range s.longest[n-1] {
		if t != nil && other(t) && t.to() > after {
			return t
		}
	}
	return nil
}
