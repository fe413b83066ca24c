package consul_test

import (
	"context"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/consul"
)

// With a client of the program.
func ExampleNew() {
	client, err := api.NewClient(api.DefaultConfig())
	if err != nil {
		panic(err)
	}
	kv := consul.New(client)
	defer kv.Close()

	candidate := leadership.NewCandidate(kv, "service/swarm/leader", "underwood", 15*time.Second)
	err = candidate.Run(context.Background(), func(ctx context.Context, _ leadership.Term) error {
		<-ctx.Done() // work until then
		return nil
	})
	if err != nil {
		panic(err)
	}
}

// By URL, with a client of its own.
func ExampleStore() {
	kv, err := store.Open(context.Background(), "consul://127.0.0.1:8500/app")
	if err != nil {
		panic(err) // it does not answer, or something in the URL is wrong
	}
	defer kv.Close()
}
