package leadership_test

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func ExampleCandidate_RunForElection() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	candidate := leadership.NewCandidate(memory.New(), "service/swarm/leader", "underwood", 15*time.Second)
	electedCh, _ := candidate.RunForElection(ctx)
	for elected := range electedCh {
		fmt.Println("elected:", elected)
		if elected {
			candidate.Stop() // or whatever only the leader does
		}
	}
	// Output:
	// elected: false
	// elected: true
	// elected: false
}

func ExampleCandidate_Run() {
	candidate := leadership.NewCandidate(memory.New(), "service/swarm/leader", "underwood", 15*time.Second)
	err := candidate.Run(context.Background(), func(ctx context.Context, term leadership.Term) error {
		fmt.Println(term.Leader, "leads until the context ends:", ctx.Err())
		candidate.Stop()
		<-ctx.Done()
		fmt.Println(context.Cause(ctx))
		return ctx.Err()
	})
	fmt.Println("the end:", err)
	// Output:
	// underwood leads until the context ends: <nil>
	// candidate stopped
	// the end: <nil>
}

func ExampleFollower() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	kv := memory.New()

	follower := leadership.NewFollower(kv, "service/swarm/leader")
	leaderCh, _ := follower.FollowElection(ctx)

	candidate := leadership.NewCandidate(kv, "service/swarm/leader", "underwood", 15*time.Second,
		leadership.WithPayload([]byte("http://10.0.0.1:80")))
	electedCh, _ := candidate.RunForElection(ctx)

	fmt.Println("leader:", <-leaderCh)
	term, _ := follower.Term()
	fmt.Printf("address: %s\n", term.Payload)
	candidate.Stop()
	fmt.Printf("leader: %q\n", <-leaderCh)
	for range electedCh { // until the campaign has ended
	}
	follower.Stop()
	for range leaderCh {
	}
	// Output:
	// leader: underwood
	// address: http://10.0.0.1:80
	// leader: ""
}

func ExampleRound() {
	ctx := context.Background()
	kv := memory.New()
	for _, node := range []string{"node-a", "node-b"} {
		round := leadership.NewRound(kv, "cleaning_scheduler", "2020-10-18-0800", node)
		won, err := round.Do(ctx, func(context.Context) error {
			fmt.Println(node, "cleans")
			return nil
		})
		fmt.Println(node, won, err)
	}
	// Output:
	// node-a cleans
	// node-a true <nil>
	// node-b false <nil>
}
