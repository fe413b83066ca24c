package electiontest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership"
)

// testRound: of eight nodes that ask at once exactly one wins, for ever.
func testRound(e *election) {
	const nodes = 8
	ctx := e.Context()
	system, name := strings.ReplaceAll(e.key, "/", "-"), "2020-10-18-0800"
	rounds := make([]*leadership.Round, nodes)
	for i := range rounds {
		rounds[i] = leadership.NewRound(e.connect(), system, name, fmt.Sprint("node-", i))
	}
	if winner, err := rounds[0].Elected(ctx); winner != "" || err != nil {
		e.Fatalf("before it began: elected %q, %v", winner, err)
	}

	// All at once, and then all again.
	var won [2][nodes]bool
	for again := range won {
		var wg sync.WaitGroup
		for i, r := range rounds {
			wg.Go(func() {
				won[again][i] = e.elect(r, i)
			})
		}
		wg.Wait()
	}
	winner := -1
	for i := range rounds {
		if won[0][i] {
			if winner >= 0 {
				e.Errorf("node-%d and node-%d have won", winner, i)
			}
			winner = i
		}
	}
	if winner < 0 {
		e.Fatal("nobody has won")
	}
	if won[0] != won[1] {
		e.Errorf("won: %v; asked again: %v", won[0], won[1])
	}

	winnerName, loser := fmt.Sprint("node-", winner), (winner+1)%nodes
	for i, r := range rounds {
		if name, err := r.Elected(ctx); name != winnerName || err != nil {
			e.Errorf("node-%d: elected %q, %v", i, name, err)
		}
		if name, err := r.Completed(ctx); name != "" || err != nil {
			e.Errorf("node-%d: completed by %q, %v", i, name, err)
		}
	}
	if err := rounds[loser].Complete(ctx); !errors.Is(err, leadership.ErrNotElected) {
		e.Errorf("a loser completes it: %v", err)
	}

	type answer struct {
		name string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		name, err := rounds[loser].Await(ctx)
		answers <- answer{name, err}
	}()
	if err := rounds[winner].Complete(ctx); err != nil {
		e.Fatalf("complete: %v", err)
	}
	select {
	case a := <-answers:
		if a.name != winnerName || a.err != nil {
			e.Errorf("awaited: %q, %v", a.name, a.err)
		}
	case <-time.After(patience):
		e.Fatal("a loser that awaits it is not told")
	}
	if err := rounds[winner].Complete(ctx); err != nil {
		e.Errorf("complete it again: %v", err)
	}
	if err := rounds[loser].Complete(ctx); !errors.Is(err, leadership.ErrCompletedByOther) || !strings.Contains(err.Error(), winnerName) {
		e.Errorf("a loser completes it after the winner: %v", err)
	}
	if name, err := rounds[loser].Completed(ctx); name != winnerName || err != nil {
		e.Errorf("completed by %q, %v", name, err)
	}
	if won, err := rounds[winner].Elect(ctx); !won || err != nil {
		e.Errorf("the winner asks again after it: %v, %v", won, err)
	}

	next := leadership.NewRound(e.hand, system, "2020-10-18-0900", fmt.Sprint("node-", loser))
	if won, err := next.Elect(ctx); !won || err != nil {
		e.Errorf("the next round: %v, %v", won, err)
	}
}

// elect asks whether a node has won. An error says nothing about that, and so
// it asks again; a store that is well may give one for a race that was lost.
func (e *election) elect(r *leadership.Round, node int) bool {
	const attempts = 5
	for n := 1; ; n++ {
		won, err := r.Elect(e.Context())
		if err == nil {
			return won
		}
		if n == attempts {
			e.Errorf("node-%d: elect: %v", node, err)
			return false
		}
		e.Logf("node-%d: elect: %v", node, err)
	}
}
