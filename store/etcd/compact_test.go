package etcd_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/etcd"
)

// fill makes n revisions.
func fill(t *testing.T, client *clientv3.Client, key string, n int) {
	t.Helper()
	for range n {
		if _, err := client.Put(t.Context(), key, "value"); err != nil {
			t.Fatal(err)
		}
	}
}

// oldest returns the oldest revision whose state can still be read.
func oldest(t *testing.T, client *clientv3.Client) int64 {
	t.Helper()
	_, err := client.Get(t.Context(), "key", clientv3.WithRev(1))
	if err == nil {
		return 1
	}
	// The first event of a watch from before then tells.
	for change := range client.Watch(t.Context(), "key", clientv3.WithRev(1)) {
		return change.CompactRevision
	}
	t.Fatal(err)
	return 0
}

func revisionOf(t *testing.T, client *clientv3.Client) int64 {
	t.Helper()
	found, err := client.Get(t.Context(), "key")
	if err != nil {
		t.Fatal(err)
	}
	return found.Header.Revision
}

func TestHistoryIsCompactedAndElectionsGoOn(t *testing.T) {
	server := servers.New(t, "etcd")
	client := newClient(t, server.Addr)
	defer client.Close()
	open := func(t testing.TB) store.Store {
		kv := onClient(t, server.Addr, etcd.DialOptions()...)
		kv.Compact(t, "leadership", 500*time.Millisecond) // as each of many processes
		return kv
	}
	electiontest.Recovers(t, open, func() {
		before := revisionOf(t, client)
		fill(t, client, "key", 100)
		for began := time.Now(); oldest(t, client) < before+100; {
			if time.Since(began) > 30*time.Second {
				t.Fatalf("of revision %d there is still %d", revisionOf(t, client), oldest(t, client))
			}
			fill(t, client, "key", 1)
			time.Sleep(10 * time.Millisecond)
		}
	})
	if kept := revisionOf(t, client) - oldest(t, client); kept > 1000 {
		t.Errorf("%d revisions are kept", kept)
	}
}

// TestOneOfManyCompacts: the others find the work done.
func TestOneOfManyCompacts(t *testing.T) {
	server := servers.New(t, "etcd")
	client := newClient(t, server.Addr)
	defer client.Close()
	const keep, stores = 2 * time.Second, 8
	for range stores {
		kv := onClient(t, server.Addr, etcd.DialOptions()...)
		defer kv.Close()
		kv.Compact(t, "leadership", keep)
	}
	compactions, last, began := 0, int64(1), time.Now()
	for compactions < 20 {
		fill(t, client, "key", 1)
		if now := oldest(t, client); now != last {
			compactions, last = compactions+1, now
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("%d compactions by %d stores in a minute", compactions, stores)
		}
	}
	// Ten in the time that is kept, once the first is due; eight times as many, if each
	// store did it.
	if took := time.Since(began); took < keep+keep/2 {
		t.Errorf("%d compactions by %d stores in %v", compactions, stores, took)
	}
}

func TestOpenCompactsWhereItIsTold(t *testing.T) {
	server := servers.Secure(t, "etcd")
	s := server.Secret
	full := []string{"ca", s.CA, "cert", s.ClientCert, "key", s.ClientKey}
	check(t, address(s.User, s.Password, server.Addr, s.User, append(full, "compact", "1h")...), "")
	check(t, address(s.User, s.Password, server.Addr, s.User, append(full, "compact", "59s")...), `"compact" is 59s and must be at least 1m`)
	check(t, address(s.User, s.Password, server.Addr, s.User, append(full, "compact", "often")...), `"compact"`)
}

// TestOpenWarnsOfAClusterThatNeverCompacts: when its history is long enough.
func TestOpenWarnsOfAClusterThatNeverCompacts(t *testing.T) {
	server := servers.New(t, "etcd")
	client := newClient(t, server.Addr)
	defer client.Close()
	etcd.WarnFrom(t, 100)
	warned := func(query string) bool {
		t.Helper()
		var log buffer
		before := slog.Default()
		slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
		defer slog.SetDefault(before)
		kv, err := store.Open(t.Context(), fmt.Sprintf("etcd://%s/%s", server.Addr, query))
		if err != nil {
			t.Fatal(err)
		}
		kv.Close()
		text := log.String()
		if text != "" && (!strings.Contains(text, "--auto-compaction-retention=1h") || !strings.Contains(text, "compact=1h")) {
			t.Errorf("it says %s", text)
		}
		return text != ""
	}
	fill(t, client, "key", 50)
	if warned("") {
		t.Error("it warns of a short history")
	}
	fill(t, client, "key", 100)
	if !warned("") {
		t.Error("it does not warn of a long history")
	}
	if warned("?compact=1h") {
		t.Error("it warns although it compacts")
	}
	if _, err := client.Compact(t.Context(), 10); err != nil && !errors.Is(err, rpctypes.ErrCompacted) {
		t.Fatal(err)
	}
	if warned("") {
		t.Error("it warns although somebody compacts")
	}
}

// TestStoreWarnsOfAClusterThatCompactsNoMore: it did once, or does for a while.
func TestStoreWarnsOfAClusterThatCompactsNoMore(t *testing.T) {
	server := servers.New(t, "etcd")
	client := newClient(t, server.Addr)
	defer client.Close()
	etcd.WarnFrom(t, 100)
	etcd.AdviseEvery(t, 20*time.Millisecond, time.Second)
	fill(t, client, "key", 50)
	compact := func() {
		got, err := client.Get(t.Context(), "key")
		if err == nil {
			_, err = client.Compact(t.Context(), got.Header.Revision)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	compact()
	var log buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	kv, err := store.Open(t.Context(), "etcd://"+server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Close()
	for began := time.Now(); time.Since(began) < 3*time.Second; compact() {
		fill(t, client, "key", 10)
	}
	if text := log.String(); text != "" {
		t.Fatalf("it warns of a cluster that compacts: %s", text)
	}
	for began := time.Now(); !strings.Contains(log.String(), "has not compacted"); fill(t, client, "key", 50) {
		if time.Since(began) > time.Minute {
			t.Fatal("it does not warn")
		}
	}
}

type buffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}
