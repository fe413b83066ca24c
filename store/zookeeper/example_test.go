package zookeeper_test

import (
	"context"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/zookeeper"
)

// With a client of the program.
func ExampleNew() {
	conn, _, err := zk.Connect([]string{"zk1:2181", "zk2:2181", "zk3:2181"}, 10*time.Second)
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	kv := zookeeper.New(conn)
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

// Nobody but the user who has created them changes the nodes.
func ExampleOption() {
	conn, _, err := zk.Connect([]string{"zk1:2181", "zk2:2181", "zk3:2181"}, 10*time.Second)
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	if err := conn.AddAuth("digest", []byte("app:password")); err != nil {
		panic(err)
	}
	kv := zookeeper.New(conn, zookeeper.WithACL(zk.AuthACL(zk.PermAll)))
	defer kv.Close()
}

// By URL, with a client of its own.
func ExampleStore() {
	kv, err := store.Open(context.Background(), "zookeeper://zk1:2181,zk2:2181/app")
	if err != nil {
		panic(err) // it does not answer, or something in the URL is wrong
	}
	defer kv.Close()
}
