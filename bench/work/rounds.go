package work

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
)

// Sides of rounds, beside this project's on a store: the least that a store can do.
const (
	SetNX  = "redis/SET-NX"
	Insert = "postgres/INSERT"
	Txn    = "etcd/Txn"
)

// elector wins rounds that are new, and tells how many bytes the store has in all, or 0.
type elector struct {
	elect func(ctx context.Context, round string) (bool, error)
	bytes func(ctx context.Context) (int64, error)
	close func()
}

// rounds has clients win new rounds, and tells of the rounds per second, the milliseconds of
// each, and the bytes that the store keeps for each.
func rounds(ctx context.Context, t *Task, tell func(Report)) error {
	e, err := t.elector(ctx)
	if err != nil {
		return err
	}
	defer e.close()
	before, err := e.bytes(ctx)
	if err != nil {
		return err
	}
	n, perSecond, ms, err := t.rush(ctx, func(ctx context.Context, _, i int) error {
		won, err := e.elect(ctx, t.Key+"-"+strconv.Itoa(i))
		if err == nil && !won {
			err = errors.New("a new round was lost")
		}
		return err
	})
	if err != nil {
		return err
	}
	after, err := e.bytes(ctx)
	if err != nil {
		return err
	}
	samples := map[string][]float64{"rate": {perSecond}, "ms": ms}
	if after > 0 {
		samples["bytes"] = []float64{float64(after-before) / float64(n)}
	}
	tell(Report{Samples: samples})
	return nil
}

// rush has the clients of a task do something again and again, Within. It returns how often,
// how often per second, and the milliseconds of each hundredth of it, at most 2,000.
func (t *Task) rush(ctx context.Context, do func(ctx context.Context, client, i int) error) (n int, perSecond float64, ms []float64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		next, done atomic.Int64
		running    sync.WaitGroup
		mu         sync.Mutex
	)
	began := time.Now()
	for client := range t.Clients {
		running.Go(func() {
			var mine []float64
			for ctx.Err() == nil && time.Since(began) < t.Within {
				start := time.Now()
				if err := do(ctx, client, int(next.Add(1))); err != nil {
					cancel(err)
					return
				}
				if done.Add(1)%20 == 0 {
					mine = append(mine, float64(time.Since(start))/float64(time.Millisecond))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			ms = append(ms, mine...)
		})
	}
	running.Wait()
	return int(done.Load()), float64(done.Load()) / time.Since(began).Seconds(), ms, context.Cause(ctx)
}

func (t *Task) elector(ctx context.Context) (*elector, error) {
	name, how, _ := strings.Cut(t.Side, "/")
	var (
		e   *elector
		err error
	)
	switch name {
	case "redis":
		e = t.onRedis()
	case "postgres":
		e, err = t.onPostgres(ctx)
	case "etcd":
		e, err = t.onEtcd()
	default:
		err = fmt.Errorf("there are no rounds on %q", name)
	}
	if err != nil || how != "leadership" {
		return e, err
	}
	url := t.Addr
	if name != "postgres" {
		url = name + "://" + t.Addr
	}
	kv, err := store.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	all, bare := leadership.NewRounds(kv), e.close
	e.elect = func(ctx context.Context, round string) (bool, error) {
		return all.Round("bench", round, "10.0.0.9:1234", leadership.Anonymous()).Elect(ctx)
	}
	e.close = func() {
		_ = kv.Close()
		bare()
	}
	return e, nil
}

func (t *Task) onRedis() *elector {
	client := redis.NewClient(&redis.Options{Addr: t.Addr, ContextTimeoutEnabled: true, PoolSize: t.Clients})
	return &elector{
		elect: func(ctx context.Context, round string) (bool, error) {
			return client.SetNX(ctx, "bench:"+round, "10.0.0.9:1234", 0).Result()
		},
		bytes: func(ctx context.Context) (n int64, err error) {
			text, err := client.Info(ctx, "memory").Result()
			for line := range strings.Lines(text) {
				if value, ok := strings.CutPrefix(line, "used_memory_dataset:"); ok {
					n, err = strconv.ParseInt(strings.TrimSpace(value), 10, 64)
				}
			}
			return n, err
		},
		close: func() { _ = client.Close() },
	}
}

func (t *Task) onPostgres(ctx context.Context) (*elector, error) {
	config, err := pgxpool.ParseConfig(t.Addr)
	if err != nil {
		return nil, err
	}
	config.MaxConns = int32(t.Clients) //nolint:gosec // a few
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if _, err := pool.Exec(ctx, "CREATE TABLE IF NOT EXISTS bench (key text PRIMARY KEY, value text NOT NULL)"); err != nil {
		pool.Close()
		return nil, err
	}
	return &elector{
		elect: func(ctx context.Context, round string) (bool, error) {
			tag, err := pool.Exec(ctx, "INSERT INTO bench VALUES ($1, $2) ON CONFLICT DO NOTHING", round, "10.0.0.9:1234")
			return tag.RowsAffected() == 1, err
		},
		bytes: func(ctx context.Context) (n int64, err error) {
			const sql = "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class WHERE relkind = 'r' AND relname IN ('bench', 'leadership')"
			return n, pool.QueryRow(ctx, sql).Scan(&n)
		},
		close: pool.Close,
	}, nil
}

func (t *Task) onEtcd() (*elector, error) {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{t.Addr}, Logger: zap.NewNop()})
	if err != nil {
		return nil, err
	}
	return &elector{
		elect: func(ctx context.Context, round string) (bool, error) {
			key := "bench/" + round
			r, err := client.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).Then(clientv3.OpPut(key, "10.0.0.9:1234")).Commit()
			return err == nil && r.Succeeded, err
		},
		bytes: func(context.Context) (int64, error) { return 0, nil },
		close: func() { _ = client.Close() },
	}, nil
}
