package leadership_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func ExampleNewRound() {
	kv := memory.New()
	defer kv.Close()
	ctx := context.Background()
	round := leadership.NewRound(kv, "cleaning_scheduler", "2020-10-18-0800", "node-a")
	won, err := round.Elect(ctx)
	fmt.Println("won:", won, err)
	if won { // do the job, and then
		fmt.Println("completed:", round.Complete(ctx))
	}
	completer, err := leadership.NewRound(kv, "cleaning_scheduler", "2020-10-18-0800", "node-b").Await(ctx)
	fmt.Println("by", completer, err)
	// Output:
	// won: true <nil>
	// completed: <nil>
	// by node-a <nil>
}

// A node that crashes at its job is replaced after a minute: the next that asks begins
// another attempt.
func ExampleRoundOption() {
	kv := memory.New()
	defer kv.Close()
	ctx := context.Background()
	round := leadership.NewRound(kv, "cleaning_scheduler", "2020-10-18-0800", "node-a",
		leadership.WithAttemptTTL(time.Minute), // renewed while Do works
		leadership.WithAttemptGrace(5*time.Second))
	won, err := round.Do(ctx, func(ctx context.Context) error {
		number, left := round.Attempt()
		fmt.Println("attempt", number, "has 43 s or less left:", left <= 43*time.Second)
		return ctx.Err()
	})
	fmt.Println(won, err)
	// Output:
	// attempt 1 has 43 s or less left: true
	// true <nil>
}

func ExampleRoundState() {
	kv := memory.New()
	defer kv.Close()
	ctx := context.Background()
	round := leadership.NewRound(kv, "reports", "2020-10-18", "node-a")
	if _, err := round.Elect(ctx); err != nil {
		panic(err)
	}
	if err := round.Fail(ctx, []byte("the disk is full")); err != nil {
		panic(err)
	}
	state, err := round.State(ctx)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s %s: %s has failed: %s\n", state.System, state.Round, state.Winner, state.Failure)

	if err := round.CompleteWith(ctx, []byte("42 pages")); err != nil { // the winner has tried again
		panic(err)
	}
	if state, err = round.State(ctx); err != nil {
		panic(err)
	}
	fmt.Printf("%s %s: %s has completed it: %s\n", state.System, state.Round, state.Completer, state.Result)
	// Output:
	// reports 2020-10-18: node-a has failed: the disk is full
	// reports 2020-10-18: node-a has completed it: 42 pages
}

// A process with many rounds makes them from one Rounds.
func ExampleNewRounds() {
	kv := memory.New()
	defer kv.Close()
	ctx := context.Background()
	rounds := leadership.NewRounds(kv)
	for _, day := range []string{"2020-10-18", "2020-10-19"} {
		won, err := rounds.Round("reports", day, "node-a").Do(ctx, func(context.Context) error {
			if day == "2020-10-19" {
				return errors.New("no data yet")
			}
			return nil
		})
		fmt.Println(day, won, err)
	}
	// Output:
	// 2020-10-18 true <nil>
	// 2020-10-19 true no data yet
}

func ExampleRounds_Sweep() {
	kv := memory.New()
	defer kv.Close()
	ctx := context.Background()
	rounds := leadership.NewRounds(kv)
	if _, err := rounds.Round("reports", "2020-10-18", "node-a").Elect(ctx); err != nil {
		panic(err)
	}
	deleted, err := rounds.Sweep(ctx, "reports", 30*24*time.Hour) // those that nobody asks for any more
	fmt.Println("deleted:", deleted, err)
	all, err := rounds.List(ctx, "reports")
	fmt.Println("left:", len(all), err)
	// Output:
	// deleted: 0 <nil>
	// left: 1 <nil>
}
