package main

import (
	"fmt"
	"slices"
	"strings"
)

// model is what a file *.model describes.
type model struct {
	name       string
	sorts      []string
	enums      []sexp // (name value...)
	constants  []symbol
	premises   []sexp
	state      []symbol
	defines    []define
	initially  sexp
	invariants []named
	laws       []named
	actions    []action
	lemmas     []lemma
}

// symbol is a function of arguments, or a constant where there are none.
type symbol struct {
	name   string
	args   []string // sorts
	result string
}

// define abbreviates an expression.
type define struct {
	name   string
	params sexp
	result string
	body   sexp
}

// named is an invariant or a law.
type named struct {
	name  string
	after bool // it is about what one action changes
	is    sexp
}

// lemma is what holds of numbers.
type lemma struct {
	name   string
	params []sexp // (name sort)
	when   []sexp
	then   sexp
}

// action is a step that the world may make at any time.
type action struct {
	name, says, rule string
	code             []string // what it stands for
	params           []sexp   // (name sort)
	when             []sexp
	then             []update
}

// update is what a part of the state is afterwards: of all args, where any are bound.
type update struct {
	name  string
	args  []sexp
	bound []sexp // (name sort)
	value sexp
}

// newModel reads a model.
func newModel(name, text string) (*model, error) {
	forms, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s, %w", name, err)
	}
	m := &model{name: name}
	for _, f := range forms {
		if err := m.add(f); err != nil {
			return nil, fmt.Errorf("%s: %w in %.80s", name, err, f)
		}
	}
	return m, nil
}

func (m *model) add(f sexp) error {
	part := func(i int) sexp {
		if i < len(f.list) {
			return f.list[i]
		}
		return sexp{}
	}
	switch f.head() {
	case "sort":
		m.sorts = append(m.sorts, part(1).atom)
	case "enum":
		m.enums = append(m.enums, list(f.list[1:]...))
	case "constant":
		m.constants = append(m.constants, newSymbol(f))
	case "premise":
		m.premises = append(m.premises, part(1))
	case "state":
		m.state = append(m.state, newSymbol(f))
	case "define":
		m.defines = append(m.defines, define{part(1).atom, part(2), part(3).atom, part(4)})
	case "initially":
		m.initially = part(1)
	case "invariant", "law":
		n := named{name: part(1).text(), is: f.list[len(f.list)-1], after: len(f.list) == 4 && part(2).atom == "after"}
		if f.head() == "law" {
			m.laws = append(m.laws, n)
		} else {
			m.invariants = append(m.invariants, n)
		}
	case "lemma":
		m.lemmas = append(m.lemmas, lemma{part(1).text(), part(2).list[1:], part(3).list[1:], part(4).list[1]})
	case "action":
		return m.addAction(f)
	default:
		return fmt.Errorf("there is no form %q", f.head())
	}
	return nil
}

func newSymbol(f sexp) symbol {
	s := symbol{name: f.list[1].atom, result: f.list[len(f.list)-1].atom}
	if len(f.list) == 4 {
		for _, a := range f.list[2].list {
			s.args = append(s.args, a.atom)
		}
	}
	return s
}

func (m *model) addAction(f sexp) error {
	a := action{name: f.list[1].text()}
	for _, part := range f.list[2:] {
		rest := part.list[min(1, len(part.list)):]
		switch part.head() {
		case "rule":
			a.rule = rest[0].text()
		case "code":
			for _, c := range rest {
				a.code = append(a.code, c.atom)
			}
		case "for":
			a.params = rest
		case "when":
			a.when = rest
		case "then":
			for _, u := range rest {
				a.then = append(a.then, newUpdate(u))
			}
		case "":
			a.says = part.text()
		default:
			return fmt.Errorf("there is no clause %q", part.head())
		}
	}
	for _, u := range a.then {
		if !slices.ContainsFunc(m.state, func(s symbol) bool { return s.name == u.name && len(s.args) == len(u.args) }) {
			return fmt.Errorf("%q changes %s, which is no such state", a.name, u.name)
		}
	}
	m.actions = append(m.actions, a)
	return nil
}

func newUpdate(f sexp) update {
	var u update
	if f.head() == "each" {
		u.bound, f = f.list[1].list, list(f.list[2:]...)
	}
	if u.value = f.list[1]; f.list[0].list == nil {
		u.name = f.list[0].atom
	} else {
		u.name, u.args = f.list[0].head(), f.list[0].list[1:]
	}
	return u
}

// after returns the value of a part of the state after an action, at args.
func (a action) after(s symbol, args []sexp) sexp {
	value := apply(s.name, args...)
	for _, u := range slices.Backward(a.then) {
		switch {
		case u.name != s.name:
			continue
		case len(args) == 0:
			value = u.value
		case u.bound != nil: // of all, with its own name for the argument
			value = u.value.rename(func(x string) string {
				if x == u.args[0].atom {
					return args[0].atom
				}
				return x
			})
		default:
			same := make([]sexp, len(args))
			for i := range args {
				same[i] = apply("=", args[i], u.args[i])
			}
			value = apply("ite", and(same), u.value, value)
		}
	}
	return value
}

// afterwards returns e about the state after an action.
func (m *model) afterwards(e sexp) sexp {
	return e.rename(func(x string) string {
		if m.changes(x) {
			return x + "!"
		}
		return x
	})
}

// changes reports whether a name stands for a part of the state, or what depends on it.
func (m *model) changes(name string) bool {
	return slices.ContainsFunc(m.state, func(s symbol) bool { return s.name == name }) ||
		slices.ContainsFunc(m.defines, func(d define) bool { return d.name == name })
}

// declare returns the declaration of a function.
func (s symbol) declare(name string) string {
	return fmt.Sprintf("(declare-fun %s (%s) %s)\n", name, strings.Join(s.args, " "), s.result)
}
