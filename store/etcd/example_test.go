package etcd_test

import (
	"context"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/etcd"
)

// With a client of the program.
func ExampleNew() {
	client, err := clientv3.New(clientv3.Config{
		Endpoints:   []string{"127.0.0.1:2379"},
		DialOptions: etcd.DialOptions(),
	})
	if err != nil {
		panic(err)
	}
	defer client.Close()
	kv := etcd.New(client)
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

// By URL, with a client of its own.
func ExampleStore() {
	kv, err := store.Open(context.Background(), "etcd://etcd1:2379,etcd2:2379/app?ca=/etc/ssl/etcd.pem")
	if err != nil {
		panic(err) // it does not answer, or something in the URL is wrong
	}
	defer kv.Close()
}
