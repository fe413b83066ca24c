package main

import (
	"fmt"
	"strings"
)

// sexp is an atom, or a list where that is empty. An atom that was quoted keeps its
// quotes.
type sexp struct {
	atom string
	list []sexp
}

// parse reads the expressions of a text. Comments begin with a semicolon.
func parse(text string) ([]sexp, error) {
	p := reader{text: text, line: 1}
	var all []sexp
	for {
		p.space()
		if p.text == "" {
			return all, nil
		}
		e, err := p.next()
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", p.line, err)
		}
		all = append(all, e)
	}
}

type reader struct {
	text string
	line int
}

// take returns the first n bytes, and goes on behind them.
func (p *reader) take(n int) string {
	s := p.text[:n]
	p.text = p.text[n:]
	p.line += strings.Count(s, "\n")
	return s
}

func (p *reader) space() {
	for p.text != "" {
		switch {
		case strings.ContainsRune(" \t\n", rune(p.text[0])):
			p.take(1)
		case p.text[0] == ';':
			p.take(len(p.text) - len(strings.TrimLeftFunc(p.text, func(r rune) bool { return r != '\n' })))
		default:
			return
		}
	}
}

func (p *reader) next() (e sexp, err error) {
	switch {
	case p.text == "" || p.text[0] == ')':
		return e, fmt.Errorf("an expression is missing")
	case p.text[0] == '"':
		n := strings.IndexByte(p.text[1:], '"')
		if n < 0 {
			return e, fmt.Errorf("a string does not end")
		}
		return sexp{atom: p.take(n + 2)}, nil
	case p.text[0] != '(':
		n := strings.IndexAny(p.text, " \t\n();\"")
		if n < 0 {
			n = len(p.text)
		}
		return sexp{atom: p.take(n)}, nil
	}
	p.take(1)
	e.list = []sexp{}
	for {
		p.space()
		if p.text != "" && p.text[0] == ')' {
			p.take(1)
			return e, nil
		}
		part, err := p.next()
		if err != nil {
			return e, err
		}
		e.list = append(e.list, part)
	}
}

func (e sexp) String() string {
	if e.list == nil {
		return e.atom
	}
	parts := make([]string, len(e.list))
	for i, part := range e.list {
		parts[i] = part.String()
	}
	return "(" + strings.Join(parts, " ") + ")"
}

// head returns the atom that a list begins with.
func (e sexp) head() string {
	if len(e.list) == 0 {
		return ""
	}
	return e.list[0].atom
}

// text returns what is within the quotes of an atom, or the atom.
func (e sexp) text() string { return strings.Trim(e.atom, `"`) }

func atom(s string) sexp { return sexp{atom: s} }

func list(parts ...sexp) sexp { return sexp{list: append([]sexp{}, parts...)} }

// apply returns f of arguments, which may be none.
func apply(f string, args ...sexp) sexp {
	if len(args) == 0 {
		return atom(f)
	}
	return list(append([]sexp{atom(f)}, args...)...)
}

func and(parts []sexp) sexp { return apply("and", append([]sexp{atom("true")}, parts...)...) }

// rename returns e with atoms replaced.
func (e sexp) rename(to func(string) string) sexp {
	if e.list == nil {
		return atom(to(e.atom))
	}
	out := sexp{list: make([]sexp, len(e.list))}
	for i, part := range e.list {
		out.list[i] = part.rename(to)
	}
	return out
}
