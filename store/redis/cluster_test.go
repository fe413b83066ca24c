package redis_test

import (
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/redis"
	"github.com/seed-a1d591d3/leadership/store/storetest"
)

func clusterURL(nodes []*servers.Server) string {
	return "redis+cluster://" + strings.Join(clusterAddrs(nodes), ",")
}

func clusterAddrs(nodes []*servers.Server) []string {
	var addrs []string
	for _, node := range nodes {
		addrs = append(addrs, node.Addr)
	}
	return addrs
}

func TestClusterConformance(t *testing.T) {
	storetest.Run(t, opener(clusterURL(servers.RedisCluster(t))), capabilities)
}

func TestClusterElections(t *testing.T) {
	electiontest.Run(t, electiontest.Env{Open: opener(clusterURL(servers.RedisCluster(t)))})
}

// TestClusterWithUsersClient uses a client that sends reads to replicas, and asks for
// replicas that do not exist.
func TestClusterWithUsersClient(t *testing.T) {
	nodes := servers.RedisCluster(t)
	client := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: clusterAddrs(nodes), RouteRandomly: true})
	t.Cleanup(func() { client.Close() })
	kv, careful := newStore(t, client), newStore(t, client, redis.WithReplicas(1))
	// Keys of all three servers.
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		key := freshKey(t) + name
		w := watch(t, kv, key)
		pair := put(t, kv, key, "1", nil, 0)
		await(t, w, "1")
		put(t, kv, key, "2", pair, 0)
		await(t, w, "2")
	}
	key := freshKey(t) + "g"
	_, _, err := careful.AtomicPut(t.Context(), key, []byte("1"), nil, nil)
	if err == nil || isRefusal(err) || !strings.Contains(err.Error(), "0 of 1 replicas") {
		t.Errorf("with a replica asked for: %v", err)
	}
	wantValue(t, kv, key, "1")
	if pairs, err := careful.GetMany(t.Context(), []string{freshKey(t) + "a", key}); err == nil || !strings.Contains(err.Error(), "0 of 1 replicas") {
		t.Errorf("GetMany with a replica asked for: %v, %v", pairs, err)
	}
	if pairs, err := kv.List(t.Context(), freshKey(t), nil); err != nil || len(pairs) != 7 {
		t.Errorf("List = %v, %v", pairs, err)
	}
}

// TestClusterWithTheLeastRights uses only the rights in the documentation.
func TestClusterWithTheLeastRights(t *testing.T) {
	nodes := servers.RedisCluster(t)
	set := []any{"acl", "setuser", "app", "on", ">s3cret"}
	for _, right := range strings.Fields(servers.RedisRights + " +cluster|slots +asking +wait") {
		set = append(set, right)
	}
	for _, node := range nodes {
		if err := clientOf(t, node.Addr).Do(t.Context(), set...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	url := strings.Replace(clusterURL(nodes), "://", "://app:s3cret@", 1)
	kv, careful := openURL(t, url), openURL(t, url+"?replicas=1")
	defer kv.Close()
	defer careful.Close()
	for _, name := range []string{"a", "b"} {
		key := freshKey(t) + name
		w := watch(t, kv, key)
		if _, _, err := careful.AtomicPut(t.Context(), key, []byte("1"), nil, nil); err == nil || !strings.Contains(err.Error(), "0 of 1 replicas") {
			t.Errorf("AtomicPut: %v", err)
		}
		await(t, w, "1")
	}
	if pairs, err := kv.List(t.Context(), freshKey(t), nil); err != nil || len(pairs) != 2 {
		t.Errorf("List = %v, %v", pairs, err)
	}
	key := freshKey(t) + "a"
	admin := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: clusterAddrs(nodes)})
	t.Cleanup(func() { admin.Close() })
	arrive := move(t, admin, nodes, key)
	pair, err := kv.Get(t.Context(), key, nil)
	if err != nil {
		t.Fatalf("Get of a key that moves: %v", err)
	}
	if pairs, err := store.GetMany(t.Context(), kv, []string{freshKey(t) + "b", key, key}); err != nil || pairs[0] == nil || pairs[1] == nil || pairs[2] == nil {
		t.Errorf("GetMany of a key that moves: %v, %v", pairs, err)
	}
	if _, _, err := careful.AtomicPut(t.Context(), key, []byte("2"), pair, nil); err == nil || !strings.Contains(err.Error(), "0 of 1 replicas") {
		t.Errorf("AtomicPut of a key that moves: %v", err)
	}
	arrive()
	wantValue(t, kv, key, "2")
}

// TestClusterKeyThatMoves moves a key to another server while it is in use.
func TestClusterKeyThatMoves(t *testing.T) {
	nodes := servers.RedisCluster(t)
	client := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: clusterAddrs(nodes), ClusterStateReloadInterval: time.Hour})
	t.Cleanup(func() { client.Close() })
	kv := newStore(t, client)
	key := freshKey(t)
	w := watch(t, kv, key)
	pair := put(t, kv, key, "1", nil, 0)
	await(t, w, "1")

	arrive := move(t, client, nodes, key)

	// With replicas asked for that there are not, so that the server which has the
	// key says so.
	careful := newStore(t, client, redis.WithReplicas(1))
	replicate := func(value string) {
		t.Helper()
		_, _, err := careful.AtomicPut(t.Context(), key, []byte(value), pair, nil)
		if err == nil || !strings.Contains(err.Error(), "0 of 1 replicas") {
			t.Errorf("with a replica asked for: %v", err)
		}
		if pair, err = kv.Get(t.Context(), key, nil); err != nil || string(pair.Value) != value {
			t.Fatalf("Get = %v, %v; want %q", pair, err, value)
		}
	}
	pair = put(t, kv, key, "2", pair, 0) // ASK
	await(t, w, "2")
	replicate("2a")
	arrive()
	replicate("2b") // MOVED
	put(t, kv, key, "3", pair, 0)
	await(t, w, "3")
	wantValue(t, kv, key, "3")
}

// move has the slot of keys, which all are in one, begin to move to another master of
// nodes, and its keys be there. arrive ends it.
func move(t *testing.T, client *goredis.ClusterClient, nodes []*servers.Server, keys ...string) (arrive func()) {
	t.Helper()
	do := func(c *goredis.Client, args ...any) any {
		t.Helper()
		answer, err := c.Do(t.Context(), args...).Result()
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return answer
	}
	slot := client.ClusterKeySlot(t.Context(), keys[0]).Val()
	from, err := client.MasterForKey(t.Context(), keys[0])
	if err != nil {
		t.Fatal(err)
	}
	to := nodes[0]
	if to.Addr == from.Options().Addr {
		to = nodes[1]
	}
	source, target := clientOf(t, from.Options().Addr), clientOf(t, to.Addr)
	sourceID, targetID := do(source, "cluster", "myid"), do(target, "cluster", "myid")
	do(target, "cluster", "setslot", slot, "importing", sourceID)
	do(source, "cluster", "setslot", slot, "migrating", targetID)
	host, port, _ := strings.Cut(to.Addr, ":")
	for _, key := range keys {
		do(source, "migrate", host, port, key, 0, 5000)
	}
	return func() {
		t.Helper()
		for _, c := range []*goredis.Client{target, source} {
			do(c, "cluster", "setslot", slot, "node", targetID)
		}
	}
}
