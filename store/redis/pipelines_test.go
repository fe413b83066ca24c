package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/redis"
)

// gate holds the first round trips of a client, each until it is let through, and counts
// all.
type gate struct {
	hold  int64
	trips atomic.Int64
	held  chan struct{} // is sent to by each that is held
	open  chan struct{} // lets one through
}

func newGate(client *goredis.Client, hold int) *gate {
	g := &gate{hold: int64(hold), held: make(chan struct{}), open: make(chan struct{})}
	client.AddHook(g)
	return g
}

func (g *gate) pass() {
	if g.trips.Add(1) <= g.hold {
		g.held <- struct{}{}
		<-g.open
	}
}

func (g *gate) DialHook(next goredis.DialHook) goredis.DialHook { return next }

func (g *gate) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error { g.pass(); return next(ctx, cmd) }
}

func (g *gate) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error { g.pass(); return next(ctx, cmds) }
}

// writes are creates under way.
type writes struct {
	kv  *redis.Store
	all sync.WaitGroup
}

// create begins to create a key, and passes the error to then.
func (w *writes) create(ctx context.Context, key string, then func(error)) {
	w.all.Go(func() {
		_, _, err := w.kv.AtomicPut(ctx, key, []byte("value"), nil, nil)
		then(err)
	})
}

// oneConnection returns writes of which the first is held by the gate, so that what
// follows goes together; and so are as many round trips as hold says.
func oneConnection(t *testing.T, addr string, hold int) (*writes, *gate) {
	t.Helper()
	client := goredis.NewClient(&goredis.Options{Addr: addr, PoolSize: 1})
	t.Cleanup(func() { client.Close() })
	w := &writes{kv: newStore(t, client)}
	put(t, w.kv, freshKey(t)+"/warm", "", nil, 0)
	g := newGate(client, hold)
	w.create(t.Context(), freshKey(t)+"/first", func(err error) {
		if err != nil {
			t.Error(err)
		}
	})
	<-g.held
	return w, g
}

// wait waits until that many wait to be sent.
func (w *writes) wait(n int) {
	for w.kv.Waiting() != n {
		time.Sleep(time.Millisecond)
	}
}

func TestWritesGoTogetherBesideThoseThatHang(t *testing.T) {
	client := goredis.NewClient(&goredis.Options{Addr: servers.Shared(t, "redis").Addr, PoolSize: 16})
	defer client.Close()
	w := writes{kv: newStore(t, client)}
	put(t, w.kv, freshKey(t)+"/warm", "", nil, 0)
	g := newGate(client, 2)
	ok := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"/hangs/1", "/hangs/2"} {
		w.create(t.Context(), freshKey(t)+name, ok)
		<-g.held
	}
	rest := writes{kv: w.kv}
	for i := range 200 {
		rest.create(t.Context(), fmt.Sprint(freshKey(t), i), ok)
	}
	rest.all.Wait()
	if n := g.trips.Load(); n > 100 {
		t.Errorf("202 writes made %d round trips", n)
	}
	close(g.open)
	w.all.Wait()
}

func TestWriteThatNobodyWaitsForIsNotSent(t *testing.T) {
	w, g := oneConnection(t, servers.Shared(t, "redis").Addr, 1)
	ctx, cancel := context.WithCancel(t.Context())
	key := freshKey(t)
	given := make(chan error, 1)
	w.create(ctx, key, func(err error) { given <- err })
	for _, name := range []string{"/1", "/2"} { // which go together
		w.create(t.Context(), key+name, func(err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	w.wait(3)
	cancel()
	if err := <-given; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(g.open)
	w.all.Wait()
	w.wait(0)
	if _, err := w.kv.Get(t.Context(), key, nil); !errors.Is(err, store.ErrKeyNotFound) {
		t.Errorf("Get: %v", err)
	}
}

func TestEachOfTheWritesThatGoTogetherHasItsOwnResult(t *testing.T) {
	addr := servers.Shared(t, "redis").Addr
	w, g := oneConnection(t, addr, 1)
	key := freshKey(t)
	other := clientOf(t, addr)
	if err := errors.Join(other.RPush(t.Context(), key+"/foreign", "theirs").Err(), other.ScriptFlush(t.Context()).Err()); err != nil {
		t.Fatal(err)
	}
	put(t, newStore(t, other), key+"/there", "", nil, 0)
	if err := other.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	var failed sync.Map
	for _, name := range []string{"/new/1", "/foreign", "/there", "/new/2"} {
		w.create(t.Context(), key+name, func(err error) { failed.Store(name, err) })
	}
	w.wait(4)
	close(g.open)
	w.all.Wait()
	of := func(name string) error {
		err, _ := failed.Load(name)
		failure, _ := err.(error)
		return failure
	}
	if err := errors.Join(of("/new/1"), of("/new/2")); err != nil {
		t.Error(err)
	}
	if err := of("/there"); !errors.Is(err, store.ErrKeyExists) {
		t.Errorf("create what is there: %v", err)
	}
	if err := of("/foreign"); err == nil || isRefusal(err) {
		t.Errorf("create what is another's: %v", err)
	}
}

// TestWritesThatGoTogetherFailWithoutALogin: the server answers, though not to them.
func TestWritesThatGoTogetherFailWithoutALogin(t *testing.T) {
	client := goredis.NewClient(&goredis.Options{Addr: servers.Shared(t, "redis").Addr, PoolSize: 1, Username: "nobody", Password: "wrong"})
	defer client.Close()
	w := writes{kv: newStore(t, client)}
	g := newGate(client, 1)
	refused := func(err error) {
		if err == nil || isRefusal(err) {
			t.Errorf("got %v", err)
		}
	}
	w.create(t.Context(), freshKey(t)+"/first", refused)
	<-g.held
	w.create(t.Context(), freshKey(t)+"/1", refused)
	w.create(t.Context(), freshKey(t)+"/2", refused)
	w.wait(2)
	close(g.open)
	w.all.Wait()
}

// lockedOut is a hook of a client whose connections are refused for pipelines: then the
// commands have no error of their own.
type lockedOut struct{ gate }

func (*lockedOut) ProcessPipelineHook(goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(context.Context, []goredis.Cmder) error { return errors.New("WRONGPASS") }
}

func TestListThatCannotReadItsKeysFails(t *testing.T) {
	client := clientOf(t, servers.Shared(t, "redis").Addr)
	kv := newStore(t, client)
	key := freshKey(t)
	put(t, kv, key+"/a", "value", nil, 0)
	client.AddHook(&lockedOut{})
	if pairs, err := kv.List(t.Context(), key, nil); err == nil || errors.Is(err, store.ErrKeyNotFound) || !strings.Contains(err.Error(), "WRONGPASS") {
		t.Errorf("List = %v, %v", pairs, err)
	}
}

// TestLostReplyIsUnknownForAllThatWentTogether: none is sent again.
func TestLostReplyIsUnknownForAllThatWentTogether(t *testing.T) {
	r := newRelay(t, servers.Shared(t, "redis").Addr)
	w, g := oneConnection(t, r.addr, 2)
	key := freshKey(t)
	for _, name := range []string{"/1", "/2"} {
		w.create(t.Context(), key+name, func(err error) {
			if err == nil || isRefusal(err) {
				t.Errorf("a create whose reply was lost: %v", err)
			}
		})
	}
	w.wait(2)
	g.open <- struct{}{}
	<-g.held // those two
	r.swallowNext()
	g.open <- struct{}{}
	w.all.Wait()
	wantValue(t, w.kv, key+"/1", "value")
	wantValue(t, w.kv, key+"/2", "value")
}
