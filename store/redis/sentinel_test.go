package redis_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/redis"
	"github.com/seed-a1d591d3/leadership/store/storetest"
)

func sentinelURL(set *servers.RedisSentinels) string {
	return "redis+sentinel://" + strings.Join(set.Addrs, ",") + "/" + servers.SentinelMaster
}

func TestSentinelConformance(t *testing.T) {
	storetest.Run(t, opener(sentinelURL(servers.RedisSentinel(t))), capabilities)
}

func TestSentinelElections(t *testing.T) {
	electiontest.Run(t, electiontest.Env{Open: opener(sentinelURL(servers.RedisSentinel(t)))})
}

// TestSentinelFailover: when the master is killed the replica takes over, and
// the election goes on there.
func TestSentinelFailover(t *testing.T) {
	set := servers.RedisSentinel(t)
	ctx, cancel := context.WithCancel(t.Context())
	var candidates []*leadership.Candidate
	ended := make(chan struct{}, 2)
	for _, node := range []string{"a", "b"} {
		kv := openURL(t, sentinelURL(set))
		candidate := leadership.NewCandidate(kv, key, node, 500*time.Millisecond)
		candidates = append(candidates, candidate)
		elected, _ := candidate.RunForElection(ctx)
		go func() {
			for range elected {
			}
			kv.Close()
			ended <- struct{}{}
		}()
	}
	defer func() { cancel(); <-ended; <-ended }()
	leader := func(than uint64) leadership.Term {
		t.Helper()
		for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(time.Millisecond) {
			for _, c := range candidates {
				if term, leads := c.Term(); leads && term.Token > than {
					return term
				}
			}
		}
		t.Fatal("nobody leads")
		return leadership.Term{}
	}
	kv := openURL(t, sentinelURL(set))
	defer kv.Close()
	w := watch(t, kv, key)
	before := leader(0)
	set.Master.Stop()
	began := time.Now()
	after := leader(before.Token)
	t.Logf("somebody led %v after the master was killed, with token %d after %d", time.Since(began).Round(time.Millisecond), after.Token, before.Token)
	for { // a watch from before goes on too
		pair, ok := <-w
		if !ok {
			t.Fatal("the watch was closed")
		}
		if strings.Contains(string(pair.Value), after.Leader) && pair.LastIndex > 0 {
			break
		}
	}
}

// TestReplicaAnswersNothing: its data may be old.
func TestReplicaAnswersNothing(t *testing.T) {
	set := servers.RedisSentinel(t)
	put(t, newStore(t, clientOf(t, set.Master.Addr)), key, "a", nil, 0)
	// Not again and again, as go-redis would, until it is a master.
	client := goredis.NewClient(&goredis.Options{Addr: set.Replica.Addr, MaxRetries: -1})
	t.Cleanup(func() { client.Close() })
	kv := newStore(t, client)
	if pair, err := kv.Get(t.Context(), key, nil); err == nil || isRefusal(err) || !goredis.IsReadOnlyError(err) {
		t.Errorf("Get = %v, %v; want READONLY", pair, err)
	}
	for _, keys := range [][]string{{key, key + "/none"}, {key + "/none", key}} {
		if pairs, err := store.GetMany(t.Context(), kv, keys); !goredis.IsReadOnlyError(err) {
			t.Errorf("GetMany = %v, %v; want READONLY", pairs, err)
		}
	}
	for _, directory := range []string{"", "no such "} {
		if pairs, err := kv.List(t.Context(), directory, nil); !goredis.IsReadOnlyError(err) {
			t.Errorf("List %q = %v, %v; want READONLY", directory, pairs, err)
		}
	}
	_, err := store.Open(t.Context(), "redis://"+set.Replica.Addr)
	if err == nil || !strings.Contains(err.Error(), "replica") {
		t.Errorf("Open: %v", err)
	}
}

// TestMasterThatHangsIsNotTakenForTheSentinels: the Sentinels do answer.
func TestMasterThatHangsIsNotTakenForTheSentinels(t *testing.T) {
	set := servers.RedisSentinel(t)
	set.Replica.Freeze() // so that nobody takes over
	set.Master.Freeze()
	defer set.Master.Thaw()
	defer set.Replica.Thaw()
	kv, err := store.Open(t.Context(), sentinelURL(set))
	if err == nil {
		kv.Close()
		t.Fatal("the master answers")
	}
	text, _, _ := strings.Cut(err.Error(), " did not answer")
	_, text, _ = strings.Cut(text, store.ErrNotReachable.Error()) // the URL, before that, names the Sentinels
	if !errors.Is(err, store.ErrNotReachable) || !strings.Contains(text, set.Master.Addr) {
		t.Errorf("%v: want it to name the master, %s", err, set.Master.Addr)
	}
	for _, addr := range set.Addrs {
		if strings.Contains(text, addr) {
			t.Errorf("%v: %s has answered", err, addr)
		}
	}
}

// TestServerThatHangsIsSaidToHang: the client itself closes the connection.
func TestServerThatHangsIsSaidToHang(t *testing.T) {
	server := servers.Redis(t)
	kv := openURL(t, "redis://"+server.Addr)
	defer kv.Close()
	put(t, kv, key, "a", nil, 0)
	server.Freeze()
	defer server.Thaw()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err := kv.Get(ctx, key, nil)
	if err == nil || !errors.Is(err, store.ErrNotReachable) || !strings.Contains(err.Error(), server.Addr+" did not answer") || strings.Contains(err.Error(), "closed") {
		t.Errorf("%v, want it to say that %s did not answer", err, server.Addr)
	}
}

// TestWriteWaitsForReplicas wants an error if they do not have the write.
func TestWriteWaitsForReplicas(t *testing.T) {
	set := servers.RedisSentinel(t)
	client := clientOf(t, set.Master.Addr)
	kv := newStore(t, client, redis.WithReplicas(1))
	var c counter
	first := put(t, kv, key, "a", put(t, kv, key, "", nil, 0), 0) // tells the server the scripts
	client.AddHook(&c)
	second := put(t, kv, key, "b", first, 0)
	if n := c.trips.Load(); n != 1 {
		t.Errorf("it took %d round trips", n)
	}
	if _, _, err := kv.AtomicPut(t.Context(), key, nil, first, nil); !errors.Is(err, store.ErrKeyModified) {
		t.Errorf("a stale write: %v", err)
	}

	set.Replica.Freeze()
	began := time.Now()
	_, _, err := kv.AtomicPut(t.Context(), key, []byte("c"), second, nil)
	if err == nil || isRefusal(err) || !strings.Contains(err.Error(), "0 of 1 replicas") {
		t.Errorf("without the replica: %v", err)
	}
	if took := time.Since(began); took < 900*time.Millisecond {
		t.Errorf("it waited %v", took)
	}
	// Nor is it read: otherwise a caller that reads to find out whether the write has
	// happened would take it for done.
	if pair, err := kv.Get(t.Context(), key, nil); err == nil || isRefusal(err) || !strings.Contains(err.Error(), "0 of 1 replicas") {
		t.Errorf("without the replica: Get = %v, %v", pair, err)
	}
	another := newStore(t, clientOf(t, set.Master.Addr), redis.WithReplicas(1)) // whose connection has written nothing
	if pair, err := another.Get(t.Context(), key, nil); err == nil || isRefusal(err) || !strings.Contains(err.Error(), "0 of 1 replicas") {
		t.Errorf("without the replica: Get by another client = %v, %v", pair, err)
	}
	if won, err := leadership.NewRound(kv, "system", "round", "a").Elect(t.Context()); won || err == nil {
		t.Errorf("without the replica a round is won: %v, %v", won, err)
	}
	set.Replica.Thaw()
	wantValue(t, kv, key, "c")

	byURL := openURL(t, "redis://"+set.Master.Addr+"?replicas=2")
	defer byURL.Close()
	if _, _, err := byURL.AtomicPut(t.Context(), key+"/2", nil, nil, nil); err == nil || !strings.Contains(err.Error(), "of 2 replicas") {
		t.Errorf("with two replicas: %v", err)
	}
}

// TestSentinelsWithALogin uses a login at the Sentinels with only the rights in the
// documentation.
func TestSentinelsWithALogin(t *testing.T) {
	set := servers.RedisSentinel(t)
	for _, addr := range set.Addrs {
		sentinel := goredis.NewSentinelClient(&goredis.Options{Addr: addr})
		for _, args := range [][]any{
			{
				"acl", "setuser", "watcher", "on", ">s3cret", "-@all", "+sentinel|get-master-addr-by-name", "+sentinel|sentinels",
				"+subscribe", "+ping", "&+switch-master", "&+replica-reconf-done",
			},
			{"acl", "setuser", "default", "off"},
		} {
			if err := sentinel.Process(t.Context(), goredis.NewStringCmd(t.Context(), args...)); err != nil {
				t.Fatalf("%v: %v", args, err)
			}
		}
		sentinel.Close()
	}
	kv := openURL(t, sentinelURL(set)+"?sentinel_user=watcher&sentinel_password=s3cret")
	defer kv.Close()
	put(t, kv, key, "a", nil, 0)
	_ = wantOpenError(t, sentinelURL(set), "", "NOAUTH")
	_ = wantOpenError(t, sentinelURL(set)+"?sentinel_user=watcher&sentinel_password=wr0ng", "wr0ng", "WRONGPASS", "sentinel_user=watcher")
}
