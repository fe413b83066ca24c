// Command proof proves the law of elections and rounds: see README.md. It needs the
// solvers z3 and cvc5, which `make servers` installs.
//
//	proof              prints each obligation, a run of all actions, and one for each broken rule
//	proof -write DIR   writes the obligations into a folder, as SMT-LIB, for any solver
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"time"
)

func main() {
	dir := flag.String("write", "", "write the obligations, as SMT-LIB, into the folder `DIR`")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	err := missing()
	switch {
	case *dir != "":
		err = write(*dir)
	case err == nil:
		err = all(ctx, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "proof:", err)
		os.Exit(1)
	}
}

// missing tells what solver is not there, and the remedy.
func missing() (errs error) {
	for _, s := range solvers {
		if _, err := exec.LookPath(s.name); err != nil {
			errs = errors.Join(errs, fmt.Errorf("%w: run `make servers`, or apt-get install %s", err, s.name))
		}
	}
	return errs
}

func all(ctx context.Context, w io.Writer) error {
	began := time.Now()
	for _, name := range names {
		if err := proveAll(ctx, w, name); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := runAll(ctx, w, name); err != nil {
			return err
		}
	}
	if err := refuteAll(ctx, w); err != nil {
		return err
	}
	fmt.Fprintf(w, "All is proved, and each of %d broken rules and premises refuted by a run, in %.0f s.\n", len(brokens), time.Since(began).Seconds())
	return nil
}

// write writes each obligation into a file of its own, which no solver may find
// satisfiable.
func write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range names {
		m, err := newModel(name, read(name))
		if err != nil {
			return err
		}
		for i, o := range m.obligations() {
			text := fmt.Sprintf("; %s: %s: %s\n; unsat is expected\n%s", name, o.part, o.name, o.script)
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%03d.smt2", name, i+1)), []byte(text), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
