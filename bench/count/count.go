// Package count reads how many requests and writes a server has had, from its own counters.
package count

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// Count is what a server has had since it has started.
type Count struct {
	// Requests are what clients have sent.
	Requests float64

	// Writes are changes that the server has made. ZooKeeper and Consul count those that
	// were refused, too.
	Writes float64

	// On Redis, of changes of an expiry, how many more there were than writes of values with
	// one. What is left between two counts are renewals, each a write of its own.
	expiries float64
}

// Since returns what came after an earlier count.
func (c Count) Since(before Count) Count {
	return Count{
		Requests: c.Requests - before.Requests,
		Writes:   c.Writes - before.Writes + max(0, c.expiries-before.expiries),
	}
}

// Counter reads the counters of a server. Its own questions cost a request or two, which it
// does not count where that can be told.
type Counter struct {
	read  func(ctx context.Context) (Count, error)
	close func() error
	asked float64 // requests of its own
}

// Read returns the count of now.
func (c *Counter) Read(ctx context.Context) (Count, error) {
	n, err := c.read(ctx)
	if err != nil {
		return n, fmt.Errorf("read a server's counters: %w", err)
	}
	n.Requests -= c.asked
	return n, nil
}

// Close ends the counter.
func (c *Counter) Close() error {
	if c.close == nil {
		return nil
	}
	return c.close()
}

// About tells what is counted on each store.
var About = []struct{ Store, Requests, Writes string }{
	{"etcd", "messages received (`grpc_server_msg_received_total`)", "puts, deletions, leases granted and revoked"},
	{"consul", "HTTP requests answered (`consul_api_http_count`)", "entries of the Raft log, those of refused writes too"},
	{"zookeeper", "packets received (`mntr`), pings too", "transactions (the zxid), those of refused writes too"},
	{"redis", "reads off connections (`total_reads_processed`)", "keyspace events of writes; of a key and its expiry together one"},
	{"postgres", "statements (`pg_stat_statements`)", "transactions that have changed something (their ids)"},
	{"kubernetes", "HTTP requests of the stand-in", "Leases created and updated"},
}

// New returns the counter of a server, whose addr is host:port, or for PostgreSQL a URL.
func New(ctx context.Context, store, addr string) (*Counter, error) {
	switch store {
	case "etcd":
		return &Counter{read: func(ctx context.Context) (Count, error) { return etcd(ctx, addr) }}, nil
	case "consul":
		return &Counter{read: func(ctx context.Context) (Count, error) { return consul(ctx, addr) }}, nil
	case "zookeeper":
		return &Counter{read: func(ctx context.Context) (Count, error) { return zooKeeper(ctx, addr) }}, nil
	case "redis":
		return newRedis(ctx, addr)
	case "postgres":
		return newPostgres(ctx, addr)
	case "kubernetes":
		return &Counter{read: func(ctx context.Context) (Count, error) {
			var n [2]float64
			text, err := get(ctx, "http://"+addr+"/count")
			if err == nil {
				err = json.Unmarshal([]byte(text), &n)
			}
			return Count{Requests: n[0], Writes: n[1]}, err
		}}, nil
	}
	return nil, fmt.Errorf("nothing is known of the counters of %q", store)
}

var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}

func get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %.200s", url, resp.Status, text)
	}
	return string(text), err
}

// sum adds up the samples of metrics, in Prometheus' text, whose line begins with one of names.
func sum(text string, names ...string) (n float64, err error) {
	for line := range strings.Lines(text) {
		for _, name := range names {
			rest, ok := strings.CutPrefix(line, name)
			if !ok || rest == "" || rest[0] != '{' && rest[0] != ' ' {
				continue
			}
			value, errValue := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]), 64)
			n += value
			err = errors.Join(err, errValue)
		}
	}
	return n, err
}

func etcd(ctx context.Context, addr string) (c Count, err error) {
	text, err := get(ctx, "http://"+addr+"/metrics")
	if err != nil {
		return c, err
	}
	requests, err1 := sum(text, "grpc_server_msg_received_total")
	writes, err2 := sum(text, "etcd_mvcc_put_total", "etcd_mvcc_delete_total", "etcd_debugging_lease_granted_total", "etcd_debugging_lease_revoked_total")
	return Count{Requests: requests, Writes: writes}, errors.Join(err1, err2)
}

func consul(ctx context.Context, addr string) (c Count, err error) {
	text, err := get(ctx, "http://"+addr+"/v1/agent/metrics?format=prometheus")
	if err != nil {
		return c, err
	}
	// Without those of this package.
	var theirs strings.Builder
	for line := range strings.Lines(text) {
		if !strings.Contains(line, "v1_agent_") {
			theirs.WriteString(line)
		}
	}
	requests, err := sum(theirs.String(), "consul_api_http_count")
	if err != nil {
		return c, err
	}
	text, err = get(ctx, "http://"+addr+"/v1/agent/self")
	if err != nil {
		return c, err
	}
	var self struct {
		Stats struct {
			Raft struct {
				Index string `json:"last_log_index"`
			} `json:"raft"`
		}
	}
	if err := json.Unmarshal([]byte(text), &self); err != nil {
		return c, err
	}
	writes, err := strconv.ParseFloat(self.Stats.Raft.Index, 64)
	return Count{Requests: requests, Writes: writes}, err
}

func zooKeeper(ctx context.Context, addr string) (c Count, err error) {
	ask := func(question string) (string, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return "", err
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, question); err != nil {
			return "", err
		}
		answer, err := io.ReadAll(conn)
		return string(answer), err
	}
	text, err := ask("srvr")
	if err != nil {
		return c, err
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if zxid, ok := strings.CutPrefix(line, "Zxid: 0x"); ok {
			id, errID := strconv.ParseInt(zxid, 16, 64)
			c.Writes, err = float64(id&(1<<32-1)), errors.Join(err, errID) // above it is the epoch
		}
		if received, ok := strings.CutPrefix(line, "Received: "); ok {
			n, errN := strconv.ParseFloat(received, 64)
			c.Requests, err = n, errors.Join(err, errN)
		}
	}
	return c, err
}

func newRedis(ctx context.Context, addr string) (*Counter, error) {
	client := redis.NewClient(&redis.Options{Addr: addr, PoolSize: 1})
	if err := client.ConfigSet(ctx, "notify-keyspace-events", "EA").Err(); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	events := client.PSubscribe(ctx, "__keyevent@0__:*")
	if _, err := events.Receive(ctx); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	var written, expiries atomic.Int64
	go func() {
		for event := range events.Channel(redis.WithChannelSize(1<<16), redis.WithChannelSendTimeout(time.Minute), redis.WithChannelHealthCheckInterval(0)) {
			switch _, name, _ := strings.Cut(event.Channel, ":"); name {
			case "set", "hset", "hdel", "del", "incrby":
				written.Add(1)
				if name == "set" || name == "hset" {
					expiries.Add(-1)
				}
			case "expire", "persist":
				expiries.Add(1)
			}
		}
	}()
	c := &Counter{close: func() error { return errors.Join(events.Close(), client.Close()) }}
	c.read = func(ctx context.Context) (n Count, err error) {
		text, err := client.Info(ctx, "stats").Result()
		c.asked++
		for line := range strings.Lines(text) {
			if value, ok := strings.CutPrefix(line, "total_reads_processed:"); ok && err == nil {
				n.Requests, err = strconv.ParseFloat(strings.TrimSpace(value), 64)
			}
		}
		n.Writes, n.expiries = float64(written.Load()), float64(expiries.Load())
		return n, err
	}
	return c, nil
}

func newPostgres(ctx context.Context, addr string) (*Counter, error) {
	conn, err := pgx.Connect(ctx, addr)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements"); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return &Counter{
		read: func(ctx context.Context) (c Count, err error) {
			const sql = "SELECT coalesce((SELECT sum(calls) FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'), 0)::float8, " +
				"pg_snapshot_xmax(pg_current_snapshot())::text::float8"
			return c, conn.QueryRow(ctx, sql).Scan(&c.Requests, &c.Writes)
		},
		close: func() error { return conn.Close(context.Background()) },
	}, nil
}
