package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// proveAll has each solver prove all obligations of a model, and prints them with the
// seconds that each has taken.
func proveAll(ctx context.Context, w io.Writer, name string) error {
	m, err := newModel(name, read(name))
	if err != nil {
		return err
	}
	all := m.obligations()
	began := time.Now()
	seconds := make([]string, len(all))
	var errs []error
	for _, s := range solvers {
		proofs, err := s.prove(ctx, all)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for i, p := range proofs {
			seconds[i] += fmt.Sprintf("%6.2f s by %s", p.took.Seconds(), s.name)
			if p.answer != "unsat" {
				errs = append(errs, fmt.Errorf("%s: %s does not prove of %q that %q: %s", name, s.name, p.part, p.name, p.answer))
			}
		}
	}
	for i, o := range all {
		fmt.Fprintf(w, "%s  %s: %s: %s\n", seconds[i], name, o.part, o.name)
	}
	fmt.Fprintf(w, "%s: %d obligations, each proved by %d solvers, in %.1f s\n\n", name, len(all), len(solvers), time.Since(began).Seconds())
	return errors.Join(errs...)
}

// steps returns the actions of a run.
func steps(run string) []string { return strings.Split(run, ", ") }

// happens reports whether a run of those actions is possible, in the end of which a law is
// broken, where one is named; and returns how it goes.
func (m *model) happens(ctx context.Context, w world, actions, law string) ([]string, error) {
	u, err := m.unroll(w, steps(actions))
	if err != nil {
		return nil, err
	}
	script := u.ending("")
	if law != "" {
		found := false
		for _, l := range m.laws {
			if l.name == law {
				script, found = u.breaking(l), true
			}
		}
		if !found {
			return nil, fmt.Errorf("%s: there is no law %q", m.name, law)
		}
	}
	answer, err := solvers[0].ask(ctx, script)
	verdict, values, _ := strings.Cut(answer, "\n")
	if err != nil || verdict != "sat" {
		return nil, err
	}
	return u.tell(values)
}

// runAll has every action of a model happen.
func runAll(ctx context.Context, w io.Writer, name string) error {
	if possible[name] == "" {
		return nil
	}
	m, err := newModel(name, read(name))
	if err != nil {
		return err
	}
	lines, err := m.happens(ctx, two(name, steps(possible[name]), nil), possible[name], "")
	if err == nil && lines == nil {
		err = errors.New("no such run is possible")
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", name, possible[name], err)
	}
	fmt.Fprintf(w, "%s: every action is possible\n%s\n\n", name, strings.Join(lines, "\n"))
	for _, a := range m.actions {
		if a.says != "" && !strings.Contains(", "+possible[name]+", ", ", "+a.name+", ") {
			err = errors.Join(err, fmt.Errorf("%s: %q does not happen", name, a.name))
		}
	}
	return err
}

// refuteAll refutes what is broken, and prints the runs.
func refuteAll(ctx context.Context, w io.Writer) error {
	told, errs := make([]strings.Builder, len(brokens)), make([]error, len(brokens))
	atOnce(len(brokens), func(i int) {
		if errs[i] = refute(ctx, &told[i], brokens[i]); errs[i] != nil {
			errs[i] = fmt.Errorf("%s: %w", brokens[i], errs[i])
		}
	})
	for i := range told {
		fmt.Fprint(w, told[i].String())
	}
	return errors.Join(errs...)
}

// refute breaks a rule, prints the run in which a law is broken then, and demands that
// with the rule as it is there is none.
func refute(ctx context.Context, w io.Writer, b broken) error {
	text := read(b.model)
	if n := strings.Count(text, b.old); n != 1 {
		return fmt.Errorf("%s.model has %d times, not once:\n%s", b.model, n, b.old)
	}
	world := two(b.model, steps(b.steps), b.facts)
	m, err := newModel(b.model, strings.Replace(text, b.old, b.new, 1))
	if err != nil {
		return err
	}
	lines, err := m.happens(ctx, world, b.steps, b.law)
	if err == nil && lines == nil {
		err = fmt.Errorf("no run breaks the law %q", b.law)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s:\n%s\n           %s\n\n", b, strings.Join(lines, "\n"), b.law)
	if b.rule == "" {
		return nil
	}
	sound, err := newModel(b.model, text)
	if err != nil {
		return err
	}
	if lines, err = sound.happens(ctx, world, b.steps, b.law); lines != nil {
		err = fmt.Errorf("so it does with the rule as it is:\n%s", strings.Join(lines, "\n"))
	}
	return err
}

func (b broken) String() string {
	if b.rule == "" {
		return "A premise that does not hold: " + b.how
	}
	return "Without the rule " + b.rule + ": " + b.how
}
