package peers

import (
	"context"
	"errors"
	"time"

	"github.com/docker/leadership"
	libkv "github.com/docker/libkv/store"
	libkvconsul "github.com/docker/libkv/store/consul"
	"github.com/hashicorp/consul/api"
)

// consulMinTTL is that of Consul's sessions, which end up to twice as late.
const consulMinTTL = 10 * time.Second

var consulLock = &Library{
	Name: "api.Lock", Store: "consul", Module: "github.com/hashicorp/consul/api",
	About:  "`Lock.Lock` and `Unlock`, each candidate of a key with a session of its own, those of many keys with one; a lock delay of 1 ms in place of 15 s",
	MinTTL: consulMinTTL,
	Held:   1000, Limit: "each lock that is held has a connection of its own",
	open: func(_ context.Context, addr string) (Client, error) {
		client, err := api.NewClient(&api.Config{Address: addr})
		if err != nil {
			return nil, err
		}
		return &consulClient{client: client, done: make(chan struct{})}, nil
	},
}

type consulClient struct {
	client   *api.Client
	sessions shared[string]
	done     chan struct{}
}

func (c *consulClient) Close() error {
	close(c.done)
	return nil
}

func (c *consulClient) Candidate(key, node string, ttl time.Duration) (Candidate, error) {
	session, err := c.sessions.get(key, func() (string, error) {
		entry := &api.SessionEntry{TTL: ttl.String(), LockDelay: time.Millisecond, Behavior: api.SessionBehaviorDelete}
		id, _, err := c.client.Session().CreateNoChecks(entry, nil)
		if err == nil {
			go func() { _ = c.client.Session().RenewPeriodic(ttl.String(), id, nil, c.done) }()
		}
		return id, err
	})
	if err != nil {
		return nil, err
	}
	lock, err := c.client.LockOpts(&api.LockOptions{Key: key, Value: []byte(node), Session: session})
	return &consulCandidate{lock}, err
}

type consulCandidate struct{ lock *api.Lock }

func (c *consulCandidate) Campaign(ctx context.Context) error {
	lost, err := c.lock.Lock(ctx.Done())
	if err == nil && lost == nil {
		err = context.Cause(ctx)
	}
	return err
}

func (c *consulCandidate) Resign(context.Context) error { return c.lock.Unlock() }

var dockerLeadership = &Library{
	Name: "docker-leadership", Store: "consul", Module: "github.com/docker/leadership",
	About:  "`Candidate.RunForElection`, over docker/libkv; twice the TTL, of which it makes a session of half",
	MinTTL: consulMinTTL,
	Held:   100, Limit: "each candidate has a session, and each lock that is held a connection of its own",
	NoResign: "after `Resign` on Consul it closes a channel that is closed, and panics",
	open: func(_ context.Context, addr string) (Client, error) {
		client, err := libkvconsul.New([]string{addr}, &libkv.Config{ConnectionTimeout: time.Minute})
		if err != nil {
			return nil, err
		}
		return &dockerClient{client}, nil
	},
}

type dockerClient struct{ store libkv.Store }

func (c *dockerClient) Close() error {
	c.store.Close()
	return nil
}

func (c *dockerClient) Candidate(key, node string, ttl time.Duration) (Candidate, error) {
	return &dockerCandidate{Candidate: leadership.NewCandidate(c.store, key, node, 2*ttl)}, nil
}

type dockerCandidate struct {
	*leadership.Candidate
	elected <-chan bool
	errs    <-chan error
}

func (c *dockerCandidate) Campaign(ctx context.Context) error {
	if c.elected == nil {
		c.elected, c.errs = c.RunForElection()
	}
	return c.await(ctx, true)
}

// Resign is not of use: see NoResign.
func (c *dockerCandidate) Resign(ctx context.Context) error {
	c.Candidate.Resign()
	return c.await(ctx, false)
}

func (c *dockerCandidate) await(ctx context.Context, want bool) error {
	for {
		select {
		case is, ok := <-c.elected:
			if !ok {
				return errors.New("the campaign has ended")
			}
			if is == want {
				return nil
			}
		case err, ok := <-c.errs:
			if ok {
				return err
			}
			c.errs = nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
