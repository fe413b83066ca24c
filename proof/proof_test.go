package main

import (
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

// needSolvers skips a test where a solver is missing, unless none may be.
func needSolvers(t *testing.T) {
	t.Helper()
	switch err := missing(); {
	case err == nil:
	case os.Getenv("LEADERSHIP_REQUIRE_SERVERS") != "":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
}

func TestEveryObligationIsProvedByTwoSolvers(t *testing.T) {
	needSolvers(t)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			if err := proveAll(t.Context(), io.Discard, name); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEveryActionIsPossible(t *testing.T) {
	needSolvers(t)
	for _, name := range names {
		if err := runAll(t.Context(), io.Discard, name); err != nil {
			t.Error(err)
		}
	}
}

func TestEachBrokenRuleLeadsToABrokenLaw(t *testing.T) {
	needSolvers(t)
	var told strings.Builder
	if err := refuteAll(t.Context(), &told); err != nil {
		t.Error(err)
	}
	t.Log("\n" + told.String())
}

// What cannot be proved has to be told: without a rule some obligation fails.
func TestWithoutARuleSomethingIsNotProved(t *testing.T) {
	needSolvers(t)
	for _, b := range brokens {
		if b.how != "the store does not compare" && b.rule != "" {
			continue
		}
		m, err := newModel(b.model, strings.Replace(read(b.model), b.old, b.new, 1))
		if err != nil {
			t.Fatal(err)
		}
		var asked []obligation
		for _, o := range m.obligations() {
			if slices.Contains([]string{"apply", "come", "find", "give up session", "leave"}, o.part) {
				asked = append(asked, o)
			}
		}
		proofs, err := solvers[0].prove(t.Context(), asked)
		if err != nil {
			t.Fatal(err)
		}
		failed := 0
		for _, p := range proofs {
			if p.answer != "unsat" {
				failed++
			}
		}
		if failed == 0 {
			t.Errorf("%s: all is proved", b)
		}
	}
}

func TestSolverThatIsMissingIsNamedWithTheRemedy(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := missing()
	for _, want := range []string{"z3", "cvc5", "make servers"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell of %s", err, want)
		}
	}
}

func TestModelThatCannotBeReadIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"(state":                    "line 1",
		"(state x Int)\n)":          "line 2",
		`(law "two leaders`:         "does not end",
		"(stat x Int)":              `no form "stat"`,
		`(action "a" (if true))`:    `no clause "if"`,
		`(action "a" (then (x 1)))`: "no such state",
		`(state x (Int) Int) (action "a" (then (x 1)))`: "no such state",
	} {
		if _, err := newModel("m", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
