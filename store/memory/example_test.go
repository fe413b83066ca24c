package memory_test

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// A test of a program needs no server.
func ExampleNew() {
	kv := memory.New()
	defer kv.Close()
	candidate := leadership.NewCandidate(kv, "service/swarm/leader", "underwood", 15*time.Second)
	err := candidate.Run(context.Background(), func(_ context.Context, term leadership.Term) error {
		fmt.Println(term.Leader, "leads")
		candidate.Stop()
		return nil
	})
	fmt.Println(err)
	// Output:
	// underwood leads
	// <nil>
}

// An operator changes a key by hand.
func ExampleStore_Delete() {
	kv := memory.New()
	defer kv.Close()
	ctx := context.Background()
	if err := kv.Put(ctx, "leader", []byte("no record of an election"), nil); err != nil {
		panic(err)
	}
	_, err := leadership.NewClaims(kv, "leader").Look(ctx)
	fmt.Println("it is left alone:", err != nil)
	fmt.Println(kv.Delete(ctx, "leader"))
	// Output:
	// it is left alone: true
	// <nil>
}
