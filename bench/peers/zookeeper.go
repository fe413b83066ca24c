package peers

import (
	"context"
	"time"

	"github.com/go-zookeeper/zk"
)

var zooKeeperLock = &Library{
	Name: "zk.Lock", Store: "zookeeper", Module: "github.com/go-zookeeper/zk",
	About:  "`Lock.Lock` and `Unlock`, the candidates of one client with one session; 4 s are the longest that the server grants",
	MinTTL: 400 * time.Millisecond,
	open: func(_ context.Context, addr string) (Client, error) {
		return &zooKeeperClient{addr: addr}, nil
	},
}

// zooKeeperClient connects for its first candidate, whose TTL is the session's.
type zooKeeperClient struct {
	addr string
	conn *zk.Conn
}

func (c *zooKeeperClient) Close() error {
	if c.conn != nil {
		c.conn.Close()
	}
	return nil
}

func (c *zooKeeperClient) Candidate(key, node string, ttl time.Duration) (Candidate, error) {
	if c.conn == nil {
		var err error
		if c.conn, _, err = zk.Connect([]string{c.addr}, ttl, zk.WithLogger(silent{})); err != nil {
			return nil, err
		}
	}
	return &zooKeeperCandidate{zk.NewLock(c.conn, "/"+key, zk.WorldACL(zk.PermAll)), node}, nil
}

type silent struct{}

func (silent) Printf(string, ...any) {}

type zooKeeperCandidate struct {
	*zk.Lock
	node string
}

// Campaign takes no context: it ends with the client.
func (c *zooKeeperCandidate) Campaign(context.Context) error { return c.LockWithData([]byte(c.node)) }

func (c *zooKeeperCandidate) Resign(context.Context) error { return c.Unlock() }
