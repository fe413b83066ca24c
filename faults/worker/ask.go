package worker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/faults/history"
	"github.com/seed-a1d591d3/leadership/faults/resource"
	"github.com/seed-a1d591d3/leadership/store"
)

// ask asks a question, whose answer is about the term of token where it tells none
// itself, and returns the line that tells of it.
func ask(question string, token uint64, yes func() (uint64, bool)) history.Line {
	line := history.Line{Kind: history.Ask, What: question, Answer: history.No, Token: token, Before: history.Now()}
	told, ok := yes()
	line.After = history.Now()
	if ok {
		line.Answer = history.Yes
	}
	if told != 0 {
		line.Token = told
	}
	return line
}

func (w *worker) isLeader(token uint64) history.Line {
	return ask(history.IsLeader, token, func() (uint64, bool) { return 0, w.candidate.IsLeader() })
}

func (w *worker) term(token uint64) history.Line {
	return ask(history.Term, token, func() (uint64, bool) {
		term, ok := w.candidate.Term()
		return term.Token, ok
	})
}

// left asks for how long the candidate leads yet.
func (w *worker) left(token uint64) history.Line {
	line := history.Line{Kind: history.Left, Answer: history.No, Token: token, Before: history.Now()}
	d := w.candidate.Trust()
	line.After = history.Now()
	line.What = time.Duration(float64(d) / w.Rate).String()
	if d > 0 {
		line.Answer = history.Yes
	}
	return line
}

// all asks each of questions, in an order that is another each time: a question may end
// the term for those after it. It returns whether all said yes.
func (w *worker) all(questions ...func() history.Line) bool {
	rand.Shuffle(len(questions), func(i, j int) { questions[i], questions[j] = questions[j], questions[i] })
	yes := true
	for _, question := range questions {
		line := question()
		w.log.Add(line)
		yes = yes && line.Answer == history.Yes
	}
	return yes
}

// work asks until its context ends, and then as long as it is to wind up. While it runs no
// other term of the candidate can begin: so IsLeader and Trust tell of its term, too.
func (w *worker) work(ctx context.Context, term leadership.Term) error {
	w.event(history.Work, history.Begun, term.Token)
	questions := []func() history.Line{
		func() history.Line {
			return ask(history.Err, term.Token, func() (uint64, bool) { return 0, ctx.Err() == nil })
		},
		func() history.Line {
			return ask(history.Done, term.Token, func() (uint64, bool) {
				select {
				case <-ctx.Done():
					return 0, false
				default:
					return 0, true
				}
			})
		},
		func() history.Line { return w.isLeader(term.Token) },
		func() history.Line { return w.term(term.Token) },
		func() history.Line { return w.left(term.Token) },
	}
	var over time.Time // when it has to return
	for over.IsZero() || time.Now().Before(over) {
		if !w.all(questions...) && over.IsZero() {
			over = time.Now().Add(w.Wind)
		}
		time.Sleep(w.Every)
	}
	w.event(history.Work, history.Ended, term.Token)
	return ctx.Err()
}

// event logs that something happens now.
func (w *worker) event(kind history.Kind, answer string, token uint64) {
	now := history.Now()
	w.log.Add(history.Line{Kind: kind, Before: now, After: now, Answer: answer, Token: token})
}

// stream logs what a stream tells, until it is closed.
func (w *worker) stream(elected <-chan bool) {
	for {
		line := history.Line{Kind: history.Stream, What: "1", Answer: history.No}
		value, ok := <-elected
		line.Before = history.Now()
		line.After = line.Before
		switch {
		case !ok:
			line.Answer = history.Ended
		case value:
			line.Answer = history.Yes
		}
		w.log.Add(line)
		if !ok {
			return
		}
	}
}

// seldom is how long a candidate that does not lead waits between questions, at least.
const seldom = 10 * time.Millisecond

// outside asks as a program does that has no context of work: with RunForElection as often
// as the leader is to be asked, beside the work of Run less often. IsLeader and Trust tell
// no token here, for a term may have begun since Term was asked.
func (w *worker) outside(ctx context.Context) {
	questions := []func() history.Line{
		func() history.Line { return w.term(0) },
		func() history.Line { return w.isLeader(0) },
		func() history.Line { return w.left(0) },
	}
	for ctx.Err() == nil {
		if w.all(questions...) && w.Mode == RunForElection {
			time.Sleep(w.Every)
		} else {
			time.Sleep(max(seldom, 5*w.Every))
		}
	}
}

// write writes to both resources, with the token of the term that the candidate says it
// leads.
func (w *worker) write(ctx context.Context) {
	w.each(ctx, w.Every*time.Duration(w.Writes), func() {
		term := w.term(0)
		w.log.Add(term)
		if term.Answer == history.Yes {
			w.log.Add(w.client.Write(history.Unfenced, term.Token), w.client.Write(history.Fenced, term.Token))
		}
	})
}

// follow logs who leads.
func (w *worker) follow(term leadership.Term) {
	now := history.Now()
	w.log.Add(history.Line{Kind: history.Follow, Before: now, After: now, What: term.Leader, Token: term.Token})
}

// rounds attempts rounds whose names all workers take from the same clock.
func (w *worker) rounds(ctx context.Context, kv store.Store) {
	length := time.Second / time.Duration(w.Rounds)
	w.each(ctx, length, func() {
		line := history.Line{Kind: history.Round, Before: history.Now(), Answer: history.Unknown}
		line.What = fmt.Sprint(time.Duration(line.Before) / length)
		won, err := leadership.NewRound(kv, "faults", line.What, w.Node).Elect(ctx)
		line.After = history.Now()
		switch {
		case err != nil:
			w.failed(err)
		case won:
			line.Answer = history.Won
		default:
			line.Answer = history.Lost
		}
		w.log.Add(line)
	})
}

// command is what `leadership run` runs while it leads: that it runs is its yes.
func (w *worker) command(ctx context.Context) (err error) {
	token, err := strconv.ParseUint(os.Getenv("LEADERSHIP_TOKEN"), 10, 64)
	if err != nil {
		return fmt.Errorf("worker: LEADERSHIP_TOKEN: %w", err)
	}
	path := fmt.Sprintf("%s-%d.log", strings.TrimSuffix(w.Log, ".log"), os.Getpid())
	if w.log, err = history.Create(path, w.process()); err != nil {
		return err
	}
	if w.Resource != "" {
		w.client = resource.NewClient(w.Resource)
		defer w.client.Close()
	}
	var over time.Time
	for n := 0; over.IsZero() || time.Now().Before(over); n++ {
		w.log.Add(ask(history.Runs, token, func() (uint64, bool) { return 0, true }))
		if w.client != nil && n%w.Writes == 0 {
			w.log.Add(w.client.Write(history.Unfenced, token), w.client.Write(history.Fenced, token))
		}
		if ctx.Err() != nil && over.IsZero() {
			over = time.Now().Add(w.Wind)
		}
		time.Sleep(w.Every)
	}
	return w.log.Close()
}
