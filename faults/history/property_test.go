package history_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/history"
)

// dice returns those of a run, which HISTORY_SEED repeats.
func dice(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	if text := os.Getenv("HISTORY_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("HISTORY_SEED=%d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 0))
}

// runs is how much longer than usual the tests go on: HISTORY_RUNS, or 1.
func runs(t *testing.T) int {
	text := os.Getenv("HISTORY_RUNS")
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("HISTORY_RUNS is %q and must be a number above 0", text)
	}
	return n
}

// sound makes the history of an election in which all is right: terms one after another,
// each question answered by what is the case at some instant between its stamps.
func sound(rng *rand.Rand, nodes, terms int) []*history.Log {
	logs := make([]*history.Log, nodes)
	for i := range logs {
		logs[i] = &history.Log{Path: fmt.Sprint(i), Process: history.Process{
			Role: history.Worker, Key: "k", Node: fmt.Sprint("n", i%3), Incarnation: i / 3, TTL: 100, Retry: 30,
		}}
		logs[i].Lines = append(logs[i].Lines, history.Line{Kind: history.Stream, What: "1", Answer: history.No})
	}
	around := func(at history.Stamp) (history.Stamp, history.Stamp) {
		return at - history.Stamp(rng.IntN(20)), at + history.Stamp(rng.IntN(20))
	}
	now := history.Stamp(1000)
	for token := range uint64(terms) {
		token = 2*token + 2
		now += history.Stamp(rng.IntN(50))
		from := now
		now += 1 + history.Stamp(rng.IntN(200))
		leader := rng.IntN(nodes)
		add := func(node int, l history.Line) { logs[node].Lines = append(logs[node].Lines, l) }
		add(leader, history.Line{Kind: history.Stream, Before: from, After: from, What: "1", Answer: history.Yes})
		add(leader, history.Line{Kind: history.Stream, Before: now, After: now, What: "1", Answer: history.No})
		for range rng.IntN(20) {
			at := from + history.Stamp(rng.Int64N(int64(now-from)))
			l := history.Line{Kind: history.Ask, What: history.Term, Answer: history.Yes, Token: token}
			l.Before, l.After = around(at)
			switch rng.IntN(5) {
			case 0:
				l.What, l.Token = history.IsLeader, 0
			case 1:
				l.Kind, l.What = history.Left, time.Duration(now-at).String()
			case 2:
				l = history.Line{Kind: history.Write, Before: at, After: at, What: history.Fenced, Answer: history.Accepted, Token: token}
			}
			add(leader, l)
			other := rng.IntN(nodes)
			if other == leader && rng.IntN(2) == 0 {
				at = now // where it leads no more
			} else if other == leader {
				continue
			}
			l = history.Line{Kind: history.Ask, What: history.Term, Answer: history.No}
			l.Before, l.After = around(at)
			add(other, l)
		}
		for range rng.IntN(3) { // of contexts, after the end
			l := history.Line{Kind: history.Ask, What: history.Err, Answer: history.No, Token: token}
			l.Before, l.After = around(now + history.Stamp(rng.IntN(500)))
			l.Before = max(l.Before, from)
			if l.After >= now {
				add(leader, l)
			}
		}
	}
	return logs
}

func TestSoundHistoryIsFoundSound(t *testing.T) {
	rng := dice(t)
	for range 200 * runs(t) {
		logs := sound(rng, 1+rng.IntN(7), 1+rng.IntN(15))
		if r := history.Check(logs, history.Limits{}); len(r.Violations) > 0 {
			t.Fatalf("found %v", r.Violations)
		}
	}
}

// TestAnswerMovedIntoAnothersTermIsFound takes an answer of a sound history and moves
// it to where another led for certain.
func TestAnswerMovedIntoAnothersTermIsFound(t *testing.T) {
	rng := dice(t)
	for moved := 0; moved < 40*runs(t); {
		logs := sound(rng, 2+rng.IntN(6), 2+rng.IntN(10))
		from, to := logs[rng.IntN(len(logs))], logs[rng.IntN(len(logs))]
		if from == to || len(from.Lines) == 0 || len(to.Lines) == 0 {
			continue
		}
		l, at := from.Lines[rng.IntN(len(from.Lines))], to.Lines[rng.IntN(len(to.Lines))]
		yes := func(l history.Line) bool { return l.Kind == history.Ask && l.Answer == history.Yes }
		if !yes(l) || !yes(at) || at.Token == 0 {
			continue
		}
		// The other led before and after that answer.
		l.Before, l.After = at.After+2, at.After+3
		to.Lines = append(to.Lines, history.Line{Kind: at.Kind, What: at.What, Answer: at.Answer, Token: at.Token, Before: at.After + 5, After: at.After + 5})
		from.Lines = append(from.Lines, l)
		if r := history.Check(logs, history.Limits{}); r.Count(history.Overlap) == 0 || r.Overlaps[l.What]+r.Overlaps[at.What] == 0 {
			t.Fatalf("%v of %v is not found within the term of %v: %v", l, from.Node, at, r.Violations)
		}
		moved++
	}
}

// tiny makes a history of a few answers that tell tokens, right or wrong.
func tiny(rng *rand.Rand) []*history.Log {
	logs := []*history.Log{{}, {}, {}}
	for i := range logs {
		logs[i].Node, logs[i].Key, logs[i].Role = fmt.Sprint(i), "k", history.Worker
	}
	for range 2 + rng.IntN(4) {
		node := rng.IntN(len(logs))
		before := history.Stamp(rng.IntN(6))
		logs[node].Lines = append(logs[node].Lines, history.Line{
			Kind: history.Ask, What: history.Term, Answer: history.Yes,
			Before: before, After: before + history.Stamp(rng.IntN(4)), Token: uint64(1 + node + 3*rng.IntN(2)),
		})
	}
	return logs
}

// explained reports whether there are instants between the stamps of all answers so that
// the terms, taken two at a time, fit: each pair in an order that ordered allows.
func explained(answers []history.Line, fits func(a, b uint64, first, last map[uint64]history.Stamp) bool) bool {
	instants := make([]history.Stamp, len(answers))
	var try func(i int) bool
	try = func(i int) bool {
		if i < len(answers) {
			for instants[i] = answers[i].Before; instants[i] <= answers[i].After; instants[i]++ {
				if try(i + 1) {
					return true
				}
			}
			return false
		}
		first, last := make(map[uint64]history.Stamp), make(map[uint64]history.Stamp)
		for j, a := range answers {
			if at, ok := first[a.Token]; !ok || instants[j] < at {
				first[a.Token] = instants[j]
			}
			if at, ok := last[a.Token]; !ok || instants[j] > at {
				last[a.Token] = instants[j]
			}
		}
		for a := range first {
			for b := range first {
				if a < b && !fits(a, b, first, last) {
					return false
				}
			}
		}
		return true
	}
	return try(0)
}

// TestExactlyWhatNoInstantsExplainIsFound tries all instants at which the questions of a
// small history can have been answered.
func TestExactlyWhatNoInstantsExplainIsFound(t *testing.T) {
	rng := dice(t)
	wrong, overlapping := 0, 0
	for range 300 * runs(t) {
		logs := tiny(rng)
		var answers []history.Line
		for _, log := range logs {
			answers = append(answers, log.Lines...)
		}
		r := history.Check(logs, history.Limits{})
		inOrder := explained(answers, func(a, b uint64, first, last map[uint64]history.Stamp) bool { return last[a] <= first[b] })
		if found := r.Count(history.Overlap)+r.Count(history.TokenOrder) > 0; found == inOrder {
			t.Fatalf("instants explain %v: %v; found %v", answers, inOrder, r.Violations)
		}
		// Two terms overlap if no instants put either of them before the other.
		overlap := false
		for _, a := range answers {
			for _, b := range answers {
				pair := slices.DeleteFunc(slices.Clone(answers), func(l history.Line) bool { return l.Token != a.Token && l.Token != b.Token })
				overlap = overlap || a.Token < b.Token && !explained(pair, func(a, b uint64, first, last map[uint64]history.Stamp) bool {
					return last[a] <= first[b] || last[b] <= first[a]
				})
			}
		}
		if found := r.Count(history.Overlap) > 0; found != overlap {
			t.Fatalf("terms of %v overlap: %v; found %v", answers, overlap, r.Violations)
		}
		if !inOrder {
			wrong++
		}
		if overlap {
			overlapping++
		}
	}
	t.Logf("%d were wrong, %d overlapped", wrong, overlapping)
}

// BenchmarkMillionLines checks histories of a million lines: one that is sound, and one in
// which two always say yes, each in a term of a moment, so that all is wrong.
func BenchmarkMillionLines(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	right := sound(rng, 6, 50_000)
	var wrong []*history.Log
	for node := range 2 {
		log := &history.Log{Process: history.Process{Role: history.Worker, Key: "k", Node: fmt.Sprint(node)}}
		for i := range 500_000 {
			at := history.Stamp(10*i + node)
			log.Lines = append(log.Lines, history.Line{Kind: history.Ask, Before: at, After: at + 1, What: history.Term, Answer: history.Yes, Token: uint64(1e6 - i)})
		}
		wrong = append(wrong, log)
	}
	for name, logs := range map[string][]*history.Log{"right": right, "wrong": wrong} {
		b.Run(name, func(b *testing.B) {
			lines := 0
			for _, log := range logs {
				lines += len(log.Lines)
			}
			for b.Loop() {
				r := history.Check(logs, history.Limits{})
				b.ReportMetric(float64(lines), "lines")
				b.ReportMetric(float64(r.Terms), "terms")
				b.ReportMetric(float64(len(r.Violations)), "violations")
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	text := []byte(header)
	for i := range 1_000_000 {
		at := history.Stamp(1e15 + i)
		text = history.Line{Kind: history.Ask, Before: at, After: at + 300, What: history.Term, Answer: history.Yes, Token: 1795616749135}.Append(text)
	}
	for b.Loop() {
		if log, err := history.Read(bytes.NewReader(text)); err != nil || len(log.Lines) != 1_000_000 {
			b.Fatal(err)
		}
	}
}
