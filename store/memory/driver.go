package memory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

func init() {
	store.Register("memory", store.Driver{Example: "memory://name", Resolve: resolve, Open: open})
}

// named holds the stores that were opened by name.
var named struct {
	sync.Mutex
	shares map[string]*share
}

// share is a store that several clients have open.
type share struct {
	kv     Store
	owners int
}

// resolve returns where u leads.
func resolve(u *store.URL) (store.Target, error) {
	switch {
	case u.HasUser:
		return nil, errors.New("it has a user, which memory does not use: want memory://name")
	case u.Path != "":
		return nil, fmt.Errorf("it has the path %q: want memory://name", u.Path)
	}
	return store.NewTarget("store", "memory", "name", strings.Join(u.Hosts, "")), nil
}

// open opens the store that a URL names, or a new one where it has no name.
func open(_ context.Context, u *store.URL) (store.Store, error) {
	target, err := resolve(u)
	if err != nil {
		return nil, err
	}
	if len(u.Hosts) == 0 {
		return New(), nil
	}
	name := u.Hosts[0]
	named.Lock()
	defer named.Unlock()
	if named.shares == nil {
		named.shares = make(map[string]*share)
	}
	if named.shares[name] == nil {
		named.shares[name] = new(share)
	}
	named.shares[name].owners++
	return &client{kv: &named.shares[name].kv, name: name, target: target}, nil
}

// client is one owner's view of a store that was opened by name.
type client struct {
	kv   *Store
	name string
	life base.Life

	target store.Target
}

// Target returns the name of the store.
func (c *client) Target() store.Target { return c.target }

func (c *client) Get(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
	if err := c.life.Check(ctx); err != nil {
		return nil, failed("get", key, err)
	}
	return c.kv.Get(ctx, key, opts)
}

func (c *client) AtomicPut(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
	if err := c.life.Check(ctx); err != nil {
		return false, nil, failed("atomic put", key, err)
	}
	return c.kv.AtomicPut(ctx, key, value, previous, opts)
}

func (c *client) AtomicDelete(ctx context.Context, key string, previous *store.KVPair) (bool, error) {
	if err := c.life.Check(ctx); err != nil {
		return false, failed("atomic delete", key, err)
	}
	return c.kv.AtomicDelete(ctx, key, previous)
}

func (c *client) List(ctx context.Context, directory string, opts *store.ReadOptions) ([]*store.KVPair, error) {
	if err := c.life.Check(ctx); err != nil {
		return nil, failed("list", directory, err)
	}
	return c.kv.List(ctx, directory, opts)
}

// Watch ends when the client is closed, even if the store has other clients.
func (c *client) Watch(ctx context.Context, key string, opts *store.ReadOptions) (<-chan *store.KVPair, error) {
	return c.watch(ctx, "watch", key, func(ctx context.Context) (<-chan *store.KVPair, error) { return c.kv.Watch(ctx, key, opts) })
}

// HintsBelow implements store.TreeHinter. It ends as Watch does.
func (c *client) HintsBelow(ctx context.Context, directory string) (<-chan *store.KVPair, error) {
	return c.watch(ctx, "hints below", directory, func(ctx context.Context) (<-chan *store.KVPair, error) { return c.kv.HintsBelow(ctx, directory) })
}

func (c *client) watch(ctx context.Context, op, key string, watch func(context.Context) (<-chan *store.KVPair, error)) (<-chan *store.KVPair, error) {
	ctx, cancel := context.WithCancel(ctx)
	pairs, err := watch(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	err = c.life.Go(ctx, func(ctx context.Context) {
		defer cancel()
		<-ctx.Done()
	})
	if err != nil {
		cancel()
		return nil, failed(op, key, err)
	}
	return pairs, nil
}

// Close ends the client's watches. The last client of a name closes the store.
func (c *client) Close() error {
	if !c.life.Close() {
		return nil
	}
	named.Lock()
	defer named.Unlock()
	s := named.shares[c.name]
	if s.owners--; s.owners == 0 {
		delete(named.shares, c.name)
		return s.kv.Close()
	}
	return nil
}
