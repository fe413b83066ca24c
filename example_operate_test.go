package leadership_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func ExampleNewFollower() {
	kv := memory.New()
	defer kv.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	claims := leadership.NewClaims(kv, "service/swarm/leader") // here in place of a candidate elsewhere
	if _, err := claims.Claim(ctx, leadership.Claim{Node: "underwood"}); err != nil {
		panic(err)
	}
	follower := leadership.NewFollower(kv, "service/swarm/leader")
	for leader, err := range follower.Changes(ctx) {
		if err != nil {
			continue // the following goes on
		}
		fmt.Println("leader:", leader)
		break
	}
	// Output: leader: underwood
}

// A deployment moves the leader to the node that it has just replaced.
func ExampleRequest() {
	const key = "service/swarm/leader"
	kv := memory.New()
	defer kv.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var nodes sync.WaitGroup
	for _, node := range []string{"node-a", "node-b"} {
		candidate := leadership.NewCandidate(kv, key, node, time.Second)
		nodes.Go(func() {
			_ = candidate.Run(ctx, func(ctx context.Context, term leadership.Term) error {
				fmt.Println(term.Leader, "leads")
				<-ctx.Done() // work until then
				return nil
			})
		})
		if _, err := candidate.WaitForLeader(ctx); err != nil {
			panic(err)
		}
	}

	err := leadership.Ask(ctx, kv, key, leadership.Request{Action: leadership.Transfer, To: "node-b", By: "deploy 17"})
	fmt.Println("transferred:", err)
	cancel()
	nodes.Wait()
	// Unordered output:
	// node-a leads
	// node-b leads
	// transferred: <nil>
}

// While machines are repaired, nobody is to lead.
func ExampleAction() {
	kv := memory.New()
	defer kv.Close()
	ctx := context.Background()
	ask := func(action leadership.Action) {
		request := leadership.Request{Action: action, By: "olga", Create: action == leadership.Pause}
		if err := leadership.Ask(ctx, kv, "service/swarm/leader", request); err != nil {
			panic(err)
		}
		standing, err := leadership.NewClaims(kv, "service/swarm/leader").Look(ctx)
		fmt.Printf("%s: %q is asked for, %v\n", action, standing.Asked.Action, err)
	}
	ask(leadership.Pause)
	ask(leadership.Resume)
	// Output:
	// pause: "pause" is asked for, <nil>
	// resume: "" is asked for, <nil>
}

func ExampleElections() {
	kv := memory.New()
	defer kv.Close()
	ctx := context.Background()
	for _, shard := range []string{"1", "2"} {
		if _, err := leadership.NewClaims(kv, "shards/"+shard).Claim(ctx, leadership.Claim{Node: "node-" + shard}); err != nil {
			panic(err)
		}
	}
	elections, err := leadership.Elections(ctx, kv, "shards/")
	if err != nil {
		panic(err)
	}
	for _, standing := range elections {
		fmt.Println(standing.Key, standing.Term.Leader)
	}
	// Output:
	// shards/1 node-1
	// shards/2 node-2
}

func ExampleStanding() {
	kv := memory.New()
	defer kv.Close()
	ctx := context.Background()
	claims := leadership.NewClaims(kv, "service/swarm/leader")
	claimed, err := claims.Claim(ctx, leadership.Claim{Node: "underwood", TTL: 10 * time.Second})
	if err != nil {
		panic(err)
	}
	tell := func() {
		standing, err := claims.Look(ctx)
		switch {
		case err != nil:
			panic(err)
		case standing.Term.Leader == "":
			fmt.Println("vacant, after", standing.Term.Last.Leader, "has", standing.Term.Last.Reason)
		default:
			fmt.Println(standing.Term.Leader, "leads, with a TTL of", standing.Term.TTL)
		}
	}
	tell()
	if err := claims.Resign(ctx, claimed.Instance, claimed.Term.Token, claimed.Beat); err != nil {
		panic(err)
	}
	tell()
	// Output:
	// underwood leads, with a TTL of 10s
	// vacant, after underwood has resigned
}

// A candidate with a priority tells that it waits for the seat.
func ExampleWaiting() {
	const key, ttl = "service/swarm/leader", 200 * time.Millisecond
	kv := memory.New()
	defer kv.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	leader := leadership.NewCandidate(kv, key, "node-a", ttl)
	leads, _ := leader.RunForElection(ctx)
	if _, err := leader.WaitForLeader(ctx); err != nil {
		panic(err)
	}
	waits, _ := leadership.NewCandidate(kv, key, "node-b", ttl, leadership.WithPriority(5)).RunForElection(ctx)

	var told sync.Once
	follower := leadership.NewFollower(kv, key, leadership.WithCallbacks(leadership.Callbacks{
		OnStanding: func(s leadership.Standing) {
			for _, w := range s.Waiting {
				told.Do(func() {
					fmt.Println(w.Node, "waits, with priority", w.Priority)
					cancel()
				})
			}
		},
	}))
	leaders, _ := follower.FollowElection(ctx)
	for range leaders { // until ctx ends
	}
	for range leads { // until the campaign has ended
	}
	for range waits {
	}
	// Output: node-b waits, with priority 5
}
