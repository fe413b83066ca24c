package redis_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

// standing is a candidate of its own store on a Cluster.
type standing struct {
	*leadership.Candidate
	name, key string
	kv        store.Store
}

// renewed waits until the candidate leads and has written since what is found first,
// and returns its term and how long it took.
func (s standing) renewed(t *testing.T, within time.Duration) (leadership.Term, time.Duration) {
	t.Helper()
	var (
		first uint64
		err   error
	)
	for began := time.Now(); time.Since(began) < within; time.Sleep(5 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		var pair *store.KVPair
		pair, err = s.kv.Get(ctx, s.key, nil)
		cancel()
		if err == nil && first == 0 {
			first = pair.LastIndex
		}
		if term, leads := s.Term(); err == nil && leads && pair.LastIndex > first {
			return term, time.Since(began)
		}
	}
	t.Fatalf("%s does not lead within %v (the last look: %v)", s.name, within, err)
	return leadership.Term{}, 0
}

// Both candidates have their key in one slot, which moves, and whose master is replaced.
func TestClusterLeaderThroughReshardAndFailover(t *testing.T) {
	const (
		ttl   = 3 * time.Second
		retry = ttl / 3 // the default, which is what renewals wait, too
	)
	nodes := servers.RedisClusterWithReplicas(t, 2)
	masters := nodes[:3]
	client := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: clusterAddrs(nodes)})
	t.Cleanup(func() { client.Close() })
	slotKey := "service/{both}/"
	var all []standing
	var keys []string
	for name, query := range map[string]string{"plain": "", "with a replica": "?replicas=1"} {
		s := standing{name: name, key: slotKey + name, kv: openURL(t, clusterURL(masters)+query)}
		s.Candidate = leadership.NewCandidate(s.kv, s.key, "node", ttl)
		elected, _ := s.RunForElection(t.Context())
		ended := make(chan struct{})
		go func() {
			for range elected {
			}
			close(ended)
		}()
		t.Cleanup(func() { s.Stop(); <-ended; s.kv.Close() })
		all, keys = append(all, s), append(keys, s.key)
	}
	terms := make(map[string]leadership.Term)
	for _, s := range all {
		terms[s.name], _ = s.renewed(t, ttl+2*retry)
	}
	// again waits for each to lead, and reports whether it has led on.
	again := func(t *testing.T, what string) (ledOn bool) {
		t.Helper()
		ledOn = true
		began := time.Now()
		for _, s := range all {
			term, _ := s.renewed(t, ttl+2*retry-time.Since(began))
			t.Logf("%s led %v after %s, with token %d after %d", s.name, time.Since(began).Round(time.Millisecond), what, term.Token, terms[s.name].Token)
			ledOn = ledOn && term.Token == terms[s.name].Token
			terms[s.name] = term
		}
		return ledOn
	}

	t.Run("reshard", func(t *testing.T) {
		arrive := move(t, client, masters, keys...)
		if !again(t, "the keys moved") {
			t.Error("a term was lost")
		}
		arrive()
		if !again(t, "the slot moved") {
			t.Error("a term was lost")
		}
	})
	t.Run("failover by request", func(t *testing.T) {
		servers.SlotOwner(t, nodes, slotKey) // known to its replica too, or the slot is nobody's after the failover
		master, replica := serversOf(t, nodes, slotKey)
		if err := clientOf(t, replica.Addr).Do(t.Context(), "cluster", "failover").Err(); err != nil {
			t.Fatal(err)
		}
		promoted(t, nodes, slotKey, master)
		again(t, "its replica took over")
	})
	t.Run("failover of a killed master", func(t *testing.T) {
		master, _ := serversOf(t, nodes, slotKey)
		master.Stop()
		promoted(t, nodes, slotKey, master)
		again(t, "a replica of the killed was the master")
	})
}

// promoted waits until another server than before has key.
func promoted(t *testing.T, nodes []*servers.Server, key string, before *servers.Server) {
	t.Helper()
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(5 * time.Millisecond) {
		if master, _ := serversOf(t, nodes, key); master != before {
			role, err := clientOf(t, master.Addr).Do(t.Context(), "role").Result()
			if err == nil && strings.HasPrefix(fmt.Sprint(role), "[master") {
				t.Logf("another server was the master after %v", time.Since(began).Round(time.Millisecond))
				return
			}
		}
	}
	t.Fatal("no replica was promoted")
}

// serversOf returns the master that has key, and a replica of it, as a server that is up
// has them.
func serversOf(t *testing.T, nodes []*servers.Server, key string) (master, replica *servers.Server) {
	t.Helper()
	of := make(map[string]*servers.Server)
	for _, node := range nodes {
		of[node.Addr] = node
	}
	for _, node := range nodes {
		client := goredis.NewClient(&goredis.Options{Addr: node.Addr, MaxRetries: -1, DialerRetries: 1})
		slot, err := client.ClusterKeySlot(t.Context(), key).Result()
		if err != nil {
			client.Close()
			continue // killed
		}
		ranges, err := client.ClusterSlots(t.Context()).Result() //nolint:staticcheck // It names the master first, on Redis 6 too.
		client.Close()
		for _, r := range ranges {
			if err == nil && r.Start <= int(slot) && int(slot) <= r.End {
				master = of[r.Nodes[0].Addr]
				if len(r.Nodes) > 1 {
					replica = of[r.Nodes[1].Addr]
				}
				return master, replica
			}
		}
	}
	t.Fatal("no server of the cluster is up")
	return nil, nil
}
