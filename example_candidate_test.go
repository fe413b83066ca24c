package leadership_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func ExampleNewCandidate() {
	kv := memory.New() // or a store that other processes share
	defer kv.Close()

	candidate := leadership.NewCandidate(kv, "service/swarm/leader", "underwood", 15*time.Second,
		leadership.WithPayload([]byte("http://10.0.0.1:80")), // where followers find it
		leadership.WithRelinquishAfter(time.Hour))            // then it is another's turn
	err := candidate.Run(context.Background(), func(context.Context, leadership.Term) error {
		return errors.New("no more work")
	})
	fmt.Println(err)
	// Output: no more work
}

func ExampleOption() {
	kv := memory.New()
	defer kv.Close()
	options := []leadership.Option{
		leadership.WithMargin(3 * time.Second),
		leadership.WithGrace(12 * time.Second), // which leaves no time to renew
	}
	candidate := leadership.NewCandidate(kv, "service/swarm/leader", "underwood", 15*time.Second, options...)
	err := candidate.Run(context.Background(), nil)
	fmt.Println(errors.Is(err, leadership.ErrInvalidArgument)) // err names the rule
	// Output: true
}

func ExampleCallbacks() {
	kv := memory.New()
	defer kv.Close()
	var candidate *leadership.Candidate
	candidate = leadership.NewCandidate(kv, "service/swarm/leader", "underwood", 15*time.Second,
		leadership.WithCallbacks(leadership.Callbacks{
			OnElected: func(term leadership.Term) {
				fmt.Println(term.Leader, "leads")
				candidate.Stop()
			},
			OnDemoted: func(term leadership.Term, reason error) {
				fmt.Println(term.Leader, "leads no more:", reason)
			},
		}))
	elected, _ := candidate.RunForElection(context.Background())
	for range elected { // until the campaign has ended
	}
	// Output:
	// underwood leads
	// underwood leads no more: candidate stopped
}

func ExampleSignals() {
	kv := memory.New()
	defer kv.Close()
	candidate := leadership.NewCandidate(kv, "service/swarm/leader", "underwood", 15*time.Second)
	signals := candidate.RunForSignals(context.Background())
	for signals.Promoted != nil || signals.Demoted != nil || signals.Errored != nil {
		select {
		case term, ok := <-signals.Promoted:
			if !ok {
				signals.Promoted = nil
				continue
			}
			fmt.Println(term.Leader, "leads")
			candidate.Stop() // or whatever only the leader does
		case end, ok := <-signals.Demoted:
			if !ok {
				signals.Demoted = nil
				continue
			}
			fmt.Println(end.Term.Leader, "leads no more:", end.Reason)
		case err, ok := <-signals.Errored:
			if !ok {
				signals.Errored = nil
				continue
			}
			fmt.Println(err) // the campaign goes on
		}
	}
	// Output:
	// underwood leads
	// underwood leads no more: candidate stopped
}

func ExampleDemotion() {
	ends := []leadership.Demotion{
		{Term: leadership.Term{Token: 7}, Reason: leadership.ErrLost},
		{Term: leadership.Term{Token: 9}, Reason: leadership.ErrResigned},
	}
	for _, end := range ends {
		if errors.Is(end.Reason, leadership.ErrLost) {
			fmt.Println(end.Term.Token, "was lost: the work may have been cut off")
			continue
		}
		fmt.Println(end.Term.Token, "was given up")
	}
	// Output:
	// 7 was lost: the work may have been cut off
	// 9 was given up
}

func ExampleTerm() {
	kv := memory.New()
	defer kv.Close()
	var last uint64
	for _, node := range []string{"node-a", "node-b"} {
		candidate := leadership.NewCandidate(kv, "service/swarm/leader", node, 15*time.Second)
		err := candidate.Run(context.Background(), func(_ context.Context, term leadership.Term) error {
			fmt.Println(term.Leader, "has a higher token than all before:", term.Token > last)
			last = term.Token
			candidate.Stop()
			return nil
		})
		if err != nil {
			panic(err)
		}
	}
	// Output:
	// node-a has a higher token than all before: true
	// node-b has a higher token than all before: true
}

func ExampleTermFromContext() {
	write := func(ctx context.Context) error { // far from where the candidate is known
		term, ok := leadership.TermFromContext(ctx)
		if !ok {
			return errors.New("only a leader may write")
		}
		fmt.Println("written under the token of", term.Leader)
		return ctx.Err()
	}
	fmt.Println(write(context.Background()))

	kv := memory.New()
	defer kv.Close()
	candidate := leadership.NewCandidate(kv, "service/swarm/leader", "underwood", 15*time.Second)
	_ = candidate.Run(context.Background(), func(ctx context.Context, _ leadership.Term) error {
		defer candidate.Stop()
		return write(ctx)
	})
	// Output:
	// only a leader may write
	// written under the token of underwood
}

func ExampleEnding() {
	kv := memory.New()
	defer kv.Close()
	for _, node := range []string{"node-a", "node-b"} {
		candidate := leadership.NewCandidate(kv, "service/swarm/leader", node, 15*time.Second)
		_ = candidate.Run(context.Background(), func(_ context.Context, term leadership.Term) error {
			if term.Last.Leader == "" {
				fmt.Println(term.Leader, "is the first")
			} else {
				fmt.Println(term.Leader, "follows", term.Last.Leader, "which has", term.Last.Reason)
			}
			candidate.Stop()
			return nil
		})
	}
	// Output:
	// node-a is the first
	// node-b follows node-a which has resigned
}

func ExamplePanicError() {
	kv := memory.New()
	defer kv.Close()
	defer func() {
		if p, ok := recover().(*leadership.PanicError); ok {
			fmt.Println("the seat is free, and the work has panicked:", p.Value)
		}
	}()
	candidate := leadership.NewCandidate(kv, "service/swarm/leader", "underwood", 15*time.Second)
	_ = candidate.Run(context.Background(), func(context.Context, leadership.Term) error {
		panic("no disk")
	})
	// Output: the seat is free, and the work has panicked: no disk
}

func ExampleState() {
	kv := memory.New()
	defer kv.Close()
	candidate := leadership.NewCandidate(kv, "service/swarm/leader", "underwood", 15*time.Second)
	fmt.Println(candidate.State())
	_ = candidate.Run(context.Background(), func(context.Context, leadership.Term) error {
		fmt.Println(candidate.State())
		candidate.Stop()
		return nil
	})
	fmt.Println(candidate.State() == leadership.StateStopped)
	// Output:
	// bootstrap
	// leader
	// true
}
