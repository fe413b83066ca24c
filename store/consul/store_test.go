package consul_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/consul"
	"github.com/seed-a1d591d3/leadership/store/storetest"
)

func TestMain(m *testing.M) {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "CONSUL_") {
			_ = os.Unsetenv(name) // what the machine's user has set
		}
	}
	os.Exit(servers.VerifyMain(m, nil))
}

// newClient returns a user's client of the agent at addr.
func newClient(t testing.TB, addr string) *api.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	client, err := api.NewClient(&api.Config{Address: addr, HttpClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// newStore returns a store on the agent at addr, which the test closes.
func newStore(t testing.TB, addr string) store.Store {
	t.Helper()
	kv := consul.New(newClient(t, addr))
	t.Cleanup(func() {
		if err := kv.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return kv
}

// open returns a store on the server that the tests share, and a client of it.
func open(t testing.TB) (store.Store, *api.Client) {
	t.Helper()
	addr := servers.Shared(t, "consul").Addr
	return newStore(t, addr), newClient(t, addr)
}

func TestConformance(t *testing.T) {
	server := servers.New(t, "consul")
	proxy := servers.NewProxy(t, server.Addr)
	storetest.Run(t, func(t testing.TB) store.Store {
		return consul.New(newClient(t, proxy.Addr))
	}, storetest.Capabilities{IndexAlone: true, Server: server, Cut: proxy.Cut})
}

func TestElections(t *testing.T) {
	server := servers.New(t, "consul")
	electiontest.Run(t, electiontest.Env{
		Open:   func(t testing.TB) store.Store { return consul.New(newClient(t, server.Addr)) },
		Server: server,
	})
}

// put creates key, or replaces previous, and returns the pair as written.
func put(t *testing.T, kv store.Store, key, value string, previous *store.KVPair) *store.KVPair {
	t.Helper()
	ok, pair, err := kv.AtomicPut(t.Context(), key, []byte(value), previous, nil)
	if err != nil || !ok {
		t.Fatalf("AtomicPut(%q, %q) = %v, %v", key, value, ok, err)
	}
	return pair
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, want %v", err, want)
	}
}

func TestWriteOfAnEqualValueHasAnotherIndex(t *testing.T) {
	kv, client := open(t)
	const key = "equal/leader"
	var previous *store.KVPair
	for range 5 {
		pair := put(t, kv, key, "same", previous)
		if previous != nil && pair.LastIndex <= previous.LastIndex {
			t.Fatalf("index %d after %d", pair.LastIndex, previous.LastIndex)
		}
		if found, err := kv.Get(t.Context(), key, nil); err != nil || found.LastIndex != pair.LastIndex {
			t.Errorf("Get = %+v, %v; wrote index %d", found, err, pair.LastIndex)
		}
		previous = pair
	}

	// Another client's write of it has flags of its own.
	found, _, err := client.KV().Get(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	found.Flags = api.LockFlagValue
	if ok, _, err := client.KV().CAS(found, nil); !ok || err != nil {
		t.Fatal(ok, err)
	}
	pair, err := kv.Get(t.Context(), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	if again := put(t, kv, key, "same", pair); again.LastIndex <= pair.LastIndex {
		t.Errorf("index %d after %d", again.LastIndex, pair.LastIndex)
	}
}

func TestRefusalSaysWhetherTheKeyIsGone(t *testing.T) {
	kv, _ := open(t)
	const key = `refusal/key "a" doesn't exist`
	swap := func(previous *store.KVPair) error {
		ok, pair, err := kv.AtomicPut(t.Context(), key, []byte("bad"), previous, nil)
		if ok || pair != nil {
			t.Errorf("AtomicPut = %v, %v", ok, pair)
		}
		return err
	}
	del := func(previous *store.KVPair) error {
		_, err := kv.AtomicDelete(t.Context(), key, previous)
		return err
	}
	first := put(t, kv, key, "a", nil)
	second := put(t, kv, key, "b", first)
	zero := &store.KVPair{Key: key}
	wantErr(t, swap(nil), store.ErrKeyExists)
	for _, stale := range []*store.KVPair{first, zero} {
		wantErr(t, swap(stale), store.ErrKeyModified)
		wantErr(t, del(stale), store.ErrKeyModified)
	}
	if err := del(second); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []*store.KVPair{second, zero} {
		wantErr(t, swap(gone), store.ErrKeyNotFound)
		wantErr(t, del(gone), store.ErrKeyNotFound)
	}
}

func TestTTLIsRefused(t *testing.T) {
	kv, _ := open(t)
	for _, ttl := range []time.Duration{time.Millisecond, time.Hour, -1} {
		_, _, err := kv.AtomicPut(t.Context(), "ttl/leader", nil, nil, &store.WriteOptions{TTL: ttl})
		if err == nil || ttl > 0 != errors.Is(err, store.ErrTTLNotSupported) {
			t.Errorf("TTL %v: %v", ttl, err)
		}
	}
	_, err := kv.Get(t.Context(), "ttl/leader", nil)
	wantErr(t, err, store.ErrKeyNotFound)
}

func TestLargeValueIsRefusedWithAReason(t *testing.T) {
	kv, _ := open(t)
	put(t, kv, "large/most", strings.Repeat("x", 380<<10), nil)
	_, _, err := kv.AtomicPut(t.Context(), "large/more", make([]byte, 512<<10), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("error is %v", err)
	}
}

// oddKeys are keys that Consul takes in no other way than escaped.
var oddKeys = map[string]string{
	"/a": "%2Fa", "//a": "%2F%2Fa", "a//b": "a/%2Fb", "a///b": "a/%2F%2Fb", "a//": "a/%2F", "/": "%2F",
	".": "%2E", "..": "%2E%2E", "a/./b": "a/%2E/b", "a/../b": "a/%2E%2E/b", "a/..": "a/%2E%2E",
	"100%": "100%25", "a%2Fb": "a%252Fb", "%2Fa": "%252Fa",
	"a\nb": "a%0Ab", "a\x00b": "a%00b", "a\u00a0b": "a%C2%A0b", "a\u200bb": "a%E2%80%8Bb", "a\xffb": "a%FFb", "a\xc3": "a%C3",
	"größe/日": "gr%C3%B6%C3%9Fe/%E6%97%A5", "a\U0010ffff": "a%F4%8F%BF%BF", "a\x7f": "a%7F",
	strings.Repeat("ü", 256): strings.Repeat("%C3%BC", 256),
}

// plainKeys are in Consul as they are.
var plainKeys = []string{
	"service/swarm/leader", "a/", "a/b/", "a b", " a ", "...", ".a/..b/c.", "a?b#c&d=e+f;g", `"\<>'`,
	strings.Repeat("k", 512),
}

func TestKeysComeBackAsTheyWentIn(t *testing.T) {
	kv, client := open(t)
	view := store.WithPrefix(kv, "odd/") // of which the rules for a beginning do not hold
	check := func(kv store.Store, key, stored string) {
		t.Helper()
		pair := put(t, kv, key, "of "+key, nil)
		if found, err := kv.Get(t.Context(), key, nil); err != nil || found.Key != key || string(found.Value) != "of "+key {
			t.Errorf("Get(%q) = %+v, %v", key, found, err)
		}
		if found, _, err := client.KV().Get(stored, nil); err != nil || found == nil || string(found.Value) != "of "+key {
			t.Errorf("%q is not in Consul as %q: %+v, %v", key, stored, found, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		pairs, err := kv.Watch(ctx, key, nil)
		if err != nil {
			t.Fatal(err)
		}
		if seen := <-pairs; seen.Key != key || seen.LastIndex != pair.LastIndex {
			t.Errorf("the watch of %q sent %+v", key, seen)
		}
		cancel()
		for range pairs {
		}
	}
	for key, stored := range oddKeys {
		check(kv, key, stored)
	}
	for _, key := range plainKeys {
		check(kv, key, key)
		check(view, key, "odd/"+key)
	}
	pairs, err := kv.List(t.Context(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]bool)
	for _, pair := range pairs {
		listed[pair.Key] = true
		if _, err := kv.AtomicDelete(t.Context(), pair.Key, pair); err != nil {
			t.Error(err)
		}
	}
	for key := range oddKeys {
		if !listed[key] {
			t.Errorf("%q is not listed", key)
		}
	}
	for _, key := range plainKeys {
		if !listed[key] || !listed["odd/"+key] {
			t.Errorf("%q is not listed", key)
		}
	}
}

func TestListFindsOddKeysByAPrefixOfAnyBytes(t *testing.T) {
	kv, client := open(t)
	keys := []string{"p/.", "p/..", "p/./a", "p/../a", "p/.a", "p/..a", "p//", "p//a", "p/ü", "p/\xc3", "p/%", "p/%C3"}
	for _, key := range keys {
		put(t, kv, key, "x", nil)
	}
	for _, foreign := range []string{"p/50%", "p/a%2fb", "p/%41"} {
		if _, err := client.KV().Put(&api.KVPair{Key: foreign}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, prefix := range []string{"p", "p/", "p/.", "p/..", "p//", "p/\xc3", "p/%", "p/./", "p/%C"} {
		var want, got []string
		for _, key := range keys {
			if key != prefix && strings.HasPrefix(key, prefix) {
				want = append(want, key)
			}
		}
		pairs, err := kv.List(t.Context(), prefix, nil)
		if err != nil && !(len(want) == 0 && errors.Is(err, store.ErrKeyNotFound)) {
			t.Error(err)
		}
		for _, pair := range pairs {
			got = append(got, pair.Key)
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("List(%q) = %q, want %q", prefix, got, want)
		}
	}
	for _, prefix := range []string{"none", "p/ü"} {
		_, err := kv.List(t.Context(), prefix, nil)
		wantErr(t, err, store.ErrKeyNotFound)
	}
}
