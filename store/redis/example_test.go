package redis_test

import (
	"context"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/redis"
)

// With a client of the program.
func ExampleNew() {
	client := goredis.NewClient(&goredis.Options{Addr: "127.0.0.1:6379"})
	defer client.Close()
	kv, err := redis.New(client)
	if err != nil {
		panic(err)
	}
	defer kv.Close() // before that of the client

	candidate := leadership.NewCandidate(kv, "service/swarm/leader", "underwood", 15*time.Second)
	err = candidate.Run(context.Background(), func(ctx context.Context, _ leadership.Term) error {
		<-ctx.Done() // work until then
		return nil
	})
	if err != nil {
		panic(err)
	}
}

// A write counts once a replica has it too.
func ExampleOption() {
	client := goredis.NewFailoverClient(&goredis.FailoverOptions{
		MasterName:    "main",
		SentinelAddrs: []string{"sentinel1:26379", "sentinel2:26379", "sentinel3:26379"},
	})
	defer client.Close()
	kv, err := redis.New(client, redis.WithReplicas(1))
	if err != nil {
		panic(err)
	}
	defer kv.Close()
}

// By URL, with a client of its own.
func ExampleStore() {
	kv, err := store.Open(context.Background(), "redis://:password@127.0.0.1:6379/0?prefix=app/")
	if err != nil {
		panic(err) // it does not answer, or something in the URL is wrong
	}
	defer kv.Close()
}
