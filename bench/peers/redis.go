package peers

import (
	"context"
	"errors"
	"time"

	"github.com/bsm/redislock"
	"github.com/go-redsync/redsync/v4"
	"github.com/go-redsync/redsync/v4/redis/goredis/v9"
	"github.com/heyvito/go-leader/leader"
	"github.com/redis/go-redis/v9"
)

// redisPool is how many connections a client of Redis has at most, for all sides alike.
const redisPool = 32

func openRedis(addr string) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true, PoolSize: redisPool})
}

var redSync = &Library{
	Name: "redsync", Store: "redis", Module: "github.com/go-redsync/redsync/v4",
	About: "`Mutex.LockContext` with its default delays of 50 to 250 ms, again for ever; `ExtendContext` each third of the TTL; `UnlockContext`",
	open: func(_ context.Context, addr string) (Client, error) {
		client := openRedis(addr)
		return &redSyncClient{client, redsync.New(goredis.NewPool(client))}, nil
	},
}

type redSyncClient struct {
	client *redis.Client
	sync   *redsync.Redsync
}

func (c *redSyncClient) Close() error { return c.client.Close() }

func (c *redSyncClient) Candidate(key, _ string, ttl time.Duration) (Candidate, error) {
	return &redSyncCandidate{mutex: c.sync.NewMutex(key, redsync.WithExpiry(ttl)), ttl: ttl}, nil
}

type redSyncCandidate struct {
	mutex *redsync.Mutex
	ttl   time.Duration
	stop  func()
}

func (c *redSyncCandidate) Campaign(ctx context.Context) error {
	for {
		err := c.mutex.LockContext(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return err
		}
		// After 32 attempts it gives up.
	}
	c.stop = keep(c.ttl/3, func(ctx context.Context) { _, _ = c.mutex.ExtendContext(ctx) })
	return nil
}

func (c *redSyncCandidate) Resign(ctx context.Context) error {
	c.stop()
	_, err := c.mutex.UnlockContext(ctx)
	return err
}

var redisLock = &Library{
	Name: "redislock", Store: "redis", Module: "github.com/bsm/redislock",
	About: "`Client.Obtain` with the `LinearBackoff` of 100 ms of its README; `Refresh` each third of the TTL; `Release`",
	open: func(_ context.Context, addr string) (Client, error) {
		client := openRedis(addr)
		return &redisLockClient{client, redislock.New(client)}, nil
	},
}

type redisLockClient struct {
	client *redis.Client
	locks  *redislock.Client
}

func (c *redisLockClient) Close() error { return c.client.Close() }

func (c *redisLockClient) Candidate(key, _ string, ttl time.Duration) (Candidate, error) {
	return &redisLockCandidate{locks: c.locks, key: key, ttl: ttl}, nil
}

type redisLockCandidate struct {
	locks *redislock.Client
	key   string
	ttl   time.Duration
	lock  *redislock.Lock
	stop  func()
}

func (c *redisLockCandidate) Campaign(ctx context.Context) (err error) {
	again := &redislock.Options{RetryStrategy: redislock.LinearBackoff(100 * time.Millisecond)}
	for {
		// Without a deadline of the context, Obtain gives up after the TTL.
		c.lock, err = c.locks.Obtain(ctx, c.key, c.ttl, again)
		if err == nil {
			break
		}
		if ctx.Err() != nil || !errors.Is(err, redislock.ErrNotObtained) && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
	c.stop = keep(c.ttl/3, func(ctx context.Context) { _ = c.lock.Refresh(ctx, c.ttl, nil) })
	return nil
}

func (c *redisLockCandidate) Resign(ctx context.Context) error {
	c.stop()
	return c.lock.Release(ctx)
}

var goLeader = &Library{
	Name: "go-leader", Store: "redis", Module: "github.com/heyvito/go-leader",
	About: "`Start` and `Stop`, with a `Wait` of a third of the TTL",
	Poll:  1.0 / 3,
	open: func(_ context.Context, addr string) (Client, error) {
		return &goLeaderClient{openRedis(addr)}, nil
	},
}

type goLeaderClient struct{ client *redis.Client }

func (c *goLeaderClient) Close() error { return c.client.Close() }

func (c *goLeaderClient) Candidate(key, _ string, ttl time.Duration) (Candidate, error) {
	l, promoted, demoted, errs := leader.NewLeader(leader.Opts{Redis: c.client, TTL: ttl, Wait: ttl / 3, JitterMS: 50, Key: key})
	// Its channels block the election when nobody reads them.
	go func() {
		for {
			select {
			case <-demoted:
			case <-errs:
			}
		}
	}()
	return &goLeaderCandidate{l, promoted}, nil
}

type goLeaderCandidate struct {
	leader   leader.Leader
	promoted <-chan time.Time
}

func (c *goLeaderCandidate) Campaign(ctx context.Context) error {
	c.leader.Start()
	select {
	case <-c.promoted:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *goLeaderCandidate) Resign(context.Context) error { return c.leader.Stop() }

func (c *redSyncCandidate) IsLeader() bool { return time.Now().Before(c.mutex.Until()) }

// IsLeader asks the server: a lock does not tell until when it holds.
func (c *redisLockCandidate) IsLeader() bool {
	ttl, err := c.lock.TTL(context.Background())
	return err == nil && ttl > 0
}

func (c *goLeaderCandidate) IsLeader() bool { return c.leader.IsLeading() }
