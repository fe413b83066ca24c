package peers

import (
	"context"
	"errors"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
	_ "github.com/seed-a1d591d3/leadership/store/all" // its drivers
)

const oursModule = "github.com/seed-a1d591d3/leadership"

// ours is the library of this project, on a store.
func ours(name string) *Library {
	return &Library{
		Name: Ours, Store: name, Module: oursModule,
		About: "`Candidate.RunForElection` and `Resign`; many elections by `Group`; `Follower.FollowElection`",
		open: func(ctx context.Context, addr string) (Client, error) {
			if name != "postgres" {
				addr = name + "://" + addr
			}
			kv, err := store.Open(ctx, addr)
			if err != nil {
				return nil, err
			}
			return &oursClient{kv}, nil
		},
	}
}

type oursClient struct{ kv store.Store }

func (c *oursClient) Close() error { return c.kv.Close() }

func (c *oursClient) Candidate(key, node string, ttl time.Duration) (Candidate, error) {
	return &oursCandidate{Candidate: leadership.NewCandidate(c.kv, key, node, ttl)}, nil
}

// oursCandidate stands from its first Campaign on.
type oursCandidate struct {
	*leadership.Candidate
	elected <-chan bool
}

func (c *oursCandidate) Campaign(ctx context.Context) error {
	if c.elected == nil {
		c.elected, _ = c.RunForElection(context.WithoutCancel(ctx))
	}
	return c.await(ctx, true)
}

func (c *oursCandidate) Resign(ctx context.Context) error {
	c.Candidate.Resign()
	return c.await(ctx, false)
}

func (c *oursCandidate) await(ctx context.Context, want bool) error {
	for {
		select {
		case is, ok := <-c.elected:
			if !ok {
				return errors.New("the campaign has ended")
			}
			if is == want {
				return nil
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (c *oursClient) Hold(ctx context.Context, keys []string, node string, ttl time.Duration, led func()) error {
	err := leadership.NewGroup(c.kv, node, ttl).Run(ctx, keys, func(ctx context.Context, _ string, _ leadership.Term) error {
		led()
		<-ctx.Done()
		return nil
	})
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}

func (c *oursClient) Follow(ctx context.Context, key string, led func(node string)) error {
	leaders, _ := leadership.NewFollower(c.kv, key).FollowElection(ctx)
	for leader := range leaders {
		if leader != "" {
			led(leader)
		}
	}
	return nil
}
