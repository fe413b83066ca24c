package peers

import (
	"context"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.uber.org/zap"
)

var etcdElection = &Library{
	Name: "concurrency", Store: "etcd", Module: "go.etcd.io/etcd/client/v3",
	About:  "`Election.Campaign`, `Resign` and `Observe`, each candidate of a key with a `Session` of its own, those of many keys with one",
	MinTTL: time.Second,
	open: func(_ context.Context, addr string) (Client, error) {
		client, err := clientv3.New(clientv3.Config{Endpoints: []string{addr}, Logger: zap.NewNop()})
		if err != nil {
			return nil, err
		}
		return &etcdClient{client: client, following: sync.OnceValues(func() (*concurrency.Session, error) {
			return concurrency.NewSession(client)
		})}, nil
	},
}

type etcdClient struct {
	client   *clientv3.Client
	sessions shared[*concurrency.Session]

	following func() (*concurrency.Session, error) // that of all followers
}

func (c *etcdClient) Close() error { return c.client.Close() }

func (c *etcdClient) Candidate(key, node string, ttl time.Duration) (Candidate, error) {
	session, err := c.sessions.get(key, func() (*concurrency.Session, error) {
		return concurrency.NewSession(c.client, concurrency.WithTTL(int(ttl/time.Second)))
	})
	if err != nil {
		return nil, fmt.Errorf("make a session: %w", err)
	}
	return &etcdCandidate{concurrency.NewElection(session, key), node}, nil
}

type etcdCandidate struct {
	*concurrency.Election
	node string
}

func (c *etcdCandidate) Campaign(ctx context.Context) error { return c.Election.Campaign(ctx, c.node) }

func (c *etcdClient) Follow(ctx context.Context, key string, led func(node string)) error {
	session, err := c.following()
	if err != nil {
		return err
	}
	for r := range concurrency.NewElection(session, key).Observe(ctx) {
		led(string(r.Kvs[0].Value))
	}
	return nil
}

// IsLeader asks the server: what a session has does not tell.
func (c *etcdCandidate) IsLeader() bool {
	leader, err := c.Leader(context.Background())
	return err == nil && string(leader.Kvs[0].Value) == c.node
}
