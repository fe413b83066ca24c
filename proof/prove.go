package main

import (
	"fmt"
	"strings"
)

// obligation is something to prove: that its script cannot be satisfied.
type obligation struct {
	part   string // an action, or what else it is about
	name   string // what holds
	script string
}

// obligations returns all that proves the laws of a model: that its invariants hold at
// first, that every action keeps them, and that they imply the laws.
func (m *model) obligations() []obligation {
	var all []obligation
	add := func(part, name, script string, goal sexp) {
		all = append(all, obligation{part, name, script + fmt.Sprintf("(assert (not %s))\n(check-sat)\n", goal)})
	}
	for _, l := range m.lemmas {
		script := "(set-logic QF_NRA)\n" + declareParams(l.params)
		for _, w := range l.when {
			script += fmt.Sprintf("(assert %s)\n", w)
		}
		add("lemma", l.name, script, l.then)
	}
	if len(m.state) == 0 {
		return all
	}
	before := m.preamble() + m.before()
	first := before + fmt.Sprintf("(assert %s)\n", m.initially)
	for _, n := range m.invariants {
		add("at first", n.name, first, n.is)
	}
	for _, n := range m.invariants {
		before += fmt.Sprintf("; %s\n(assert %s)\n", n.name, n.is)
	}
	for _, a := range m.actions {
		script := before + m.step(a)
		for _, n := range m.invariants {
			add(a.name, n.name, script, m.afterwards(n.is))
		}
		for _, n := range m.laws {
			if n.after {
				add(a.name, "never: "+n.name, script, n.is)
			}
		}
	}
	for _, n := range m.laws {
		if !n.after {
			add("at all times", "never: "+n.name, before, n.is)
		}
	}
	return all
}

// preamble declares what does not change.
func (m *model) preamble() string {
	var b strings.Builder
	b.WriteString("(set-logic ALL)\n")
	for _, s := range m.sorts {
		fmt.Fprintf(&b, "(declare-sort %s 0)\n", s)
	}
	b.WriteString(declareEnums(m.enums))
	for _, s := range m.constants {
		b.WriteString(s.declare(s.name))
	}
	for _, p := range m.premises {
		fmt.Fprintf(&b, "(assert %s)\n", p)
	}
	return b.String()
}

// before declares the state.
func (m *model) before() string {
	var b strings.Builder
	for _, s := range m.state {
		b.WriteString(s.declare(s.name))
	}
	for _, d := range m.defines {
		fmt.Fprintf(&b, "(define-fun %s %s %s %s)\n", d.name, d.params, d.result, d.body)
	}
	return b.String()
}

// step has an action happen, and defines the state after it.
func (m *model) step(a action) string {
	var b strings.Builder
	fmt.Fprintf(&b, "; %s\n", a.name)
	b.WriteString(declareParams(a.params))
	for _, w := range a.when {
		fmt.Fprintf(&b, "(assert %s)\n", w)
	}
	for _, s := range m.state {
		var params, args []sexp
		for i, sort := range s.args {
			x := atom(fmt.Sprintf("x%d", i))
			params, args = append(params, list(x, atom(sort))), append(args, x)
		}
		fmt.Fprintf(&b, "(define-fun %s! %s %s %s)\n", s.name, list(params...), s.result, a.after(s, args))
	}
	for _, d := range m.defines {
		fmt.Fprintf(&b, "(define-fun %s! %s %s %s)\n", d.name, d.params, d.result, m.afterwards(d.body))
	}
	return b.String()
}

// declareEnums declares sorts by their values.
func declareEnums(enums []sexp) string {
	var b strings.Builder
	for _, e := range enums {
		fmt.Fprintf(&b, "(declare-datatypes ((%s 0)) ((", e.head())
		for _, v := range e.list[1:] {
			fmt.Fprintf(&b, "(%s)", v)
		}
		b.WriteString(")))\n")
	}
	return b.String()
}

func declareParams(params []sexp) string {
	var b strings.Builder
	for _, p := range params {
		fmt.Fprintf(&b, "(declare-const %s %s)\n", p.list[0], p.list[1])
	}
	return b.String()
}
