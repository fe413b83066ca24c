package leadership_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// A server claims seats for clients that ask it.
func ExampleNewClaims() {
	kv := memory.New()
	defer kv.Close()
	ctx := context.Background()
	claims := leadership.NewClaims(kv, "service/swarm/leader")
	for _, node := range []string{"anna", "ben"} {
		claimed, err := claims.Claim(ctx, leadership.Claim{Node: node})
		if err != nil {
			panic(err)
		}
		fmt.Println(node, "wins:", claimed.Won, "- the leader is", claimed.Term.Leader)
	}
	// Output:
	// anna wins: true - the leader is anna
	// ben wins: false - the leader is anna
}

func ExampleClaims_Resign() {
	kv := memory.New()
	defer kv.Close()
	ctx := context.Background()
	claims := leadership.NewClaims(kv, "service/swarm/leader")
	claimed, err := claims.Claim(ctx, leadership.Claim{Node: "anna"})
	if err != nil {
		panic(err)
	}
	// Its work has ended.
	fmt.Println(claims.Resign(ctx, claimed.Instance, claimed.Term.Token, claimed.Beat))
	claimed, err = claims.Claim(ctx, leadership.Claim{Node: "ben"})
	fmt.Println(claimed.Term.Leader, "leads", err)
	// Output:
	// <nil>
	// ben leads <nil>
}

// A holder renews its term by what the last answer told.
func ExampleClaim() {
	kv := memory.New()
	defer kv.Close()
	ctx := context.Background()
	claims := leadership.NewClaims(kv, "service/swarm/leader")
	claimed, err := claims.Claim(ctx, leadership.Claim{Node: "anna", TTL: 10 * time.Second})
	if err != nil {
		panic(err)
	}
	renewed, err := claims.Claim(ctx, leadership.Claim{
		Node:     "anna",
		Instance: claimed.Instance,
		Token:    claimed.Term.Token,
		Beat:     claimed.Beat,
	})
	fmt.Println("the same term:", renewed.Term.Token == claimed.Term.Token, err)
	fmt.Println("renewed:", renewed.Beat != claimed.Beat)
	// Output:
	// the same term: true <nil>
	// renewed: true
}

func ExampleClaimed() {
	kv := memory.New()
	defer kv.Close()
	claims := leadership.NewClaims(kv, "service/swarm/leader")
	asked := time.Now() // before it asks: trust counts from here
	claimed, err := claims.Claim(context.Background(), leadership.Claim{Node: "anna", TTL: 10 * time.Second})
	if err != nil {
		panic(err)
	}
	deadline := asked.Add(claimed.Trust)
	fmt.Println("leads now:", claimed.Won && time.Now().Before(deadline))
	fmt.Println("for 8 s at most:", claimed.Trust <= 8*time.Second)
	// Output:
	// leads now: true
	// for 8 s at most: true
}

// A node leads as many shards as it can win.
func ExampleNewGroup() {
	kv := memory.New()
	defer kv.Close()
	keys := []string{"shards/1", "shards/2", "shards/3"}
	var working sync.WaitGroup
	working.Add(len(keys))

	group := leadership.NewGroup(kv, "node-a", 15*time.Second)
	go func() { // here; a program ends a group when it is to end itself
		working.Wait()
		group.Stop()
	}()
	err := group.Run(context.Background(), keys, func(ctx context.Context, key string, term leadership.Term) error {
		fmt.Println(term.Leader, "leads", key)
		working.Done()
		<-ctx.Done() // work until then
		return nil
	})
	fmt.Println("the end:", err)
	// Unordered output:
	// node-a leads shards/1
	// node-a leads shards/2
	// node-a leads shards/3
	// the end: <nil>
}

func ExampleGroup_Leading() {
	kv := memory.New()
	defer kv.Close()
	group := leadership.NewGroup(kv, "node-a", 15*time.Second)
	err := group.Run(context.Background(), []string{"shards/1"}, func(context.Context, string, leadership.Term) error {
		fmt.Println(group.Leading())
		group.Stop()
		return nil
	})
	fmt.Println(group.Leading(), err)
	// Output:
	// [shards/1]
	// [] <nil>
}

// Terms of one process share a heartbeat.
func ExampleNewSession() {
	kv := memory.New()
	defer kv.Close()
	const ttl = 15 * time.Second
	session := leadership.NewSession(kv, "shards/", "node-a", ttl)
	for _, key := range []string{"shards/1", "shards/2"} {
		candidate := leadership.NewCandidate(kv, key, "node-a", ttl, leadership.WithSession(session))
		_ = candidate.Run(context.Background(), func(ctx context.Context, term leadership.Term) error {
			fmt.Println(term.Leader, "leads", key)
			candidate.Stop()
			return nil
		})
	}
	// Output:
	// node-a leads shards/1
	// node-a leads shards/2
}

// What stands about an election names the session that its term rides on.
func ExampleSession() {
	kv := memory.New()
	defer kv.Close()
	session := leadership.NewSession(kv, "shards/", "node-a", 15*time.Second)
	candidate := leadership.NewCandidate(kv, "shards/1", "node-a", 15*time.Second, leadership.WithSession(session))
	_ = candidate.Run(context.Background(), func(ctx context.Context, _ leadership.Term) error {
		elections, err := leadership.Elections(ctx, kv, "shards/")
		for _, standing := range elections {
			fmt.Println(standing.Key, "rides:", standing.Session != "")
		}
		candidate.Stop()
		return err
	})
	// Output: shards/1 rides: true
}
