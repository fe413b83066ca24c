package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

// solver is a program that reads SMT-LIB.
type solver struct {
	name string
	args []string
}

var solvers = []solver{{"z3", []string{"-in"}}, {"cvc5", []string{"--lang=smt2", "--full-saturate-quant"}}}

// patience is how long one question is waited for, on a machine that has others to answer.
const patience = 5 * time.Minute

// ask returns what a solver prints.
func (s solver) ask(ctx context.Context, script string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.name, s.args...)
	cmd.Stdin = strings.NewReader(script)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	text := strings.TrimSpace(out.String())
	if ctx.Err() != nil {
		return "", fmt.Errorf("%s: no answer within %v", s.name, patience)
	}
	if strings.HasPrefix(text, "unsat") {
		return "unsat", nil // there are no values of what there is not
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w: %.300s", s.name, err, text)
	}
	if strings.Contains(text, "(error") {
		return "", fmt.Errorf("%s: %.300s", s.name, text)
	}
	return text, nil
}

// proof is what has become of an obligation.
type proof struct {
	obligation
	answer string // "unsat" where it is proved
	took   time.Duration
}

// prove has a solver prove obligations, some at once.
func (s solver) prove(ctx context.Context, all []obligation) ([]proof, error) {
	proofs, errs := make([]proof, len(all)), make([]error, len(all))
	atOnce(len(all), func(i int) {
		began := time.Now()
		answer, err := s.ask(ctx, all[i].script)
		proofs[i], errs[i] = proof{all[i], answer, time.Since(began)}, err
	})
	return proofs, errors.Join(errs...)
}

// atOnce calls f of 0 up to n, as many at once as there are processors.
func atOnce(n int, f func(int)) {
	var busy sync.WaitGroup
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range n {
		free <- struct{}{}
		busy.Go(func() {
			defer func() { <-free }()
			f(i)
		})
	}
	busy.Wait()
}
