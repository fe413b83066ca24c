package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// world is what a run has: few of each sort, and numbers for what a proof leaves open.
type world struct {
	values map[string][]string // of each sort
	facts  []string            // assertions about what does not change
}

// unrolling is the script of a run: the state before each of its steps has names of its
// own, and quantifiers are spelled out.
type unrolling struct {
	m      *model
	w      world
	steps  []action
	writes int // that there may be
	strings.Builder
}

// unroll begins a run of those actions, time passing between them.
func (m *model) unroll(w world, actions []string) (*unrolling, error) {
	u := &unrolling{m: m, w: w, writes: 1}
	for _, name := range actions {
		i := slices.IndexFunc(m.actions, func(a action) bool { return a.name == name })
		if i < 0 {
			return nil, fmt.Errorf("%s: there is no action %q", m.name, name)
		}
		u.steps = append(u.steps, m.actions[i])
		if m.writes(m.actions[i]) {
			u.writes++
		}
	}
	u.WriteString("(set-option :produce-models true)\n(set-logic ALL)\n")
	enums := slices.Clone(m.enums)
	for _, s := range m.sorts {
		e := list(atom(s))
		for _, v := range w.values[s] {
			e.list = append(e.list, atom(v))
		}
		enums = append(enums, e)
	}
	u.WriteString(declareEnums(enums))
	for _, c := range m.constants {
		if !slices.Contains(w.values[c.result], c.name) {
			u.WriteString(c.declare(c.name))
		}
	}
	for _, p := range m.premises {
		fmt.Fprintf(u, "(assert %s)\n", u.spell(p))
	}
	for _, f := range w.facts {
		parsed, err := parse(f)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", f, err)
		}
		fmt.Fprintf(u, "(assert %s)\n", u.spell(parsed[0]))
	}
	for k := range len(u.steps) + 1 {
		for _, s := range m.state {
			u.WriteString(s.declare(at(s.name, k)))
		}
		for _, d := range m.defines {
			fmt.Fprintf(u, "(define-fun %s %s %s %s)\n", at(d.name, k), d.params, d.result, u.in(d.body, k, action{}))
		}
	}
	u.assert(and([]sexp{m.initially, apply("=", atom("now"), atom("0.0"))}), 0)
	for k := range u.steps {
		u.step(k)
	}
	return u, nil
}

// writes reports whether an action writes the record.
func (m *model) writes(a action) bool {
	return slices.ContainsFunc(a.then, func(u update) bool { return u.name == "top" })
}

// step relates the state before step k to that after it. Time passes after each.
func (u *unrolling) step(k int) {
	a := u.steps[k]
	fmt.Fprintf(u, "; %s\n", a.name)
	for _, p := range a.params {
		fmt.Fprintf(u, "(declare-const %s %s)\n", at(p.list[0].atom, k), p.list[1])
		switch p.list[1].atom { // small numbers are easier to read
		case "Int":
			u.assert(apply("<=", atom("0"), p.list[0], atom("9")), k)
		case "Real":
			u.assert(apply("<=", atom("0.0"), p.list[0], atom("99.0")), k)
		}
	}
	u.assert(apply("<=", atom("now!"), atom("99.0")), k)
	u.assert(and(a.when), k)
	u.assert(apply("<=", atom("now"), atom("now!")), k)
	for _, s := range u.m.state {
		if s.name == "now" {
			continue
		}
		for _, args := range u.combinations(s.args) {
			u.assert(apply("=", apply(s.name+"!", args...), a.after(s, args)), k)
		}
	}
}

// breaking returns the script of a run whose last action breaks a law.
func (u *unrolling) breaking(law named) string {
	k := len(u.steps)
	if law.after {
		k--
	}
	return u.ending(fmt.Sprintf("(assert (not %s))\n", u.at(law.is, k)))
}

// ending returns the script of the run, with what is to hold in the end.
func (u *unrolling) ending(assertion string) string {
	return u.String() + assertion + fmt.Sprintf("(check-sat)\n(get-value (%s))\n", strings.Join(u.terms(), " "))
}

// combinations returns all arguments of those sorts.
func (u *unrolling) combinations(sorts []string) [][]sexp {
	all := [][]sexp{nil}
	for _, s := range sorts {
		var more [][]sexp
		for _, args := range all {
			for _, v := range u.values(s) {
				more = append(more, append(slices.Clone(args), v))
			}
		}
		all = more
	}
	return all
}

// values returns all of a sort; numbers are those of writes.
func (u *unrolling) values(sort string) (all []sexp) {
	if sort == "Int" {
		for i := range u.writes {
			all = append(all, atom(strconv.Itoa(i)))
		}
	}
	for _, v := range u.w.values[sort] {
		all = append(all, atom(v))
	}
	return all
}

// spell returns e with its quantifiers spelled out.
func (u *unrolling) spell(e sexp) sexp {
	if e.list == nil {
		return e
	}
	out := sexp{list: make([]sexp, len(e.list))}
	for i, part := range e.list {
		out.list[i] = u.spell(part)
	}
	if e.head() != "forall" {
		return out
	}
	var sorts []string
	for _, b := range e.list[1].list {
		sorts = append(sorts, b.list[1].atom)
	}
	var parts []sexp
	for _, args := range u.combinations(sorts) {
		parts = append(parts, out.list[2].rename(func(x string) string {
			for i, b := range e.list[1].list {
				if b.list[0].atom == x {
					return args[i].atom
				}
			}
			return x
		}))
	}
	return and(parts)
}

func (u *unrolling) assert(e sexp, k int) { fmt.Fprintf(u, "(assert %s)\n", u.at(e, k)) }

// at returns e about the state before step k, and after it.
func (u *unrolling) at(e sexp, k int) sexp {
	var a action
	if k < len(u.steps) {
		a = u.steps[k]
	}
	return u.in(e, k, a)
}

// in returns e about the state before step k, in which a happens.
func (u *unrolling) in(e sexp, k int, a action) sexp {
	return u.spell(e).rename(func(x string) string {
		name, after := strings.CutSuffix(x, "!")
		switch {
		case after && u.m.changes(name):
			return at(name, k+1)
		case u.m.changes(name), a.takes(name):
			return at(name, k)
		}
		return x
	})
}

// takes reports whether a name is that of a parameter.
func (a action) takes(name string) bool {
	return slices.ContainsFunc(a.params, func(p sexp) bool { return p.list[0].atom == name })
}

func at(name string, k int) string { return fmt.Sprintf("%s@%d", name, k) }

var hole = regexp.MustCompile(`\{(.*?)\}`)

// holes returns what is to be put into the words of step k.
func (u *unrolling) holes(k int) (terms []string) {
	for _, h := range hole.FindAllStringSubmatch(u.steps[k].says, -1) {
		e, err := parse(h[1])
		if err != nil || len(e) == 0 {
			panic(fmt.Sprintf("%s: %q: %v", u.m.name, u.steps[k].says, err))
		}
		if len(e) > 1 {
			e = []sexp{list(e...)}
		}
		terms = append(terms, u.at(e[0], k).String())
	}
	return terms
}

// terms returns what is to be known of a run.
func (u *unrolling) terms() (terms []string) {
	for k := range u.steps {
		terms = append(append(terms, at("now", k)), u.holes(k)...)
	}
	return append(terms, at("now", len(u.steps)))
}

// tell returns the lines of a run, from the values that a solver has answered.
func (u *unrolling) tell(values string) ([]string, error) {
	parsed, err := parse(values)
	if err != nil || len(parsed) != 1 {
		return nil, fmt.Errorf("the values of a run: %w: %.100q", err, values)
	}
	known := make(map[string]string)
	for _, pair := range parsed[0].list {
		known[pair.list[0].String()] = people(pair.list[1])
	}
	lines := make([]string, 0, len(u.steps))
	for k, a := range u.steps {
		terms := u.holes(k)
		says := hole.ReplaceAllStringFunc(a.says, func(string) string {
			t := terms[0]
			terms = terms[1:]
			return known[t]
		})
		lines = append(lines, fmt.Sprintf("%7s s  %s", known[at("now", k)], says))
	}
	return lines, nil
}

// people returns a value as people write it: of a number, three digits.
func people(e sexp) string {
	x, ok := value(e)
	if !ok {
		return strings.ReplaceAll(e.String(), "_", " ")
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

func value(e sexp) (float64, bool) {
	if e.list == nil {
		x, err := strconv.ParseFloat(e.atom, 64)
		return x, err == nil
	}
	var args []float64
	for _, part := range e.list[1:] {
		x, ok := value(part)
		if !ok {
			return 0, false
		}
		args = append(args, x)
	}
	switch {
	case e.head() == "-" && len(args) == 1:
		return -args[0], true
	case e.head() == "/" && len(args) == 2:
		return float64(int(args[0]/args[1]*1000+0.5)) / 1000, true
	}
	return 0, false
}
