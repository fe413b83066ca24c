package soak

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/faults/stage"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

// candidates is how many of them stand in each election, each with a store of its own.
const candidates = 3

// memoryStore is the store in the memory of the worker, which nothing can be done to.
const memoryStore = "memory"

// key is that of the election on each store.
const key = "soak/leader"

// place is a store, and the ways to it.
type place struct {
	name    string
	urls    []string // one for each candidate
	stage   *stage.Stage
	proxies []*servers.Proxy // one for each candidate
	ends    []func()
	kv      store.Store // not by a proxy
}

// open starts the servers of a store.
func open(ctx context.Context, name string) (_ *place, err error) {
	p := &place{name: name}
	if name == memoryStore {
		for range candidates {
			p.urls = append(p.urls, "memory://soak")
		}
		return p, nil
	}
	kind := stage.Find(name)
	if kind == nil {
		return nil, fmt.Errorf("there is no store %q", name)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.end())
		}
	}()
	if p.stage, err = stage.Start(kind, stage.Plain); err != nil {
		return nil, err
	}
	for range candidates {
		if kind.Direct {
			p.urls = append(p.urls, p.stage.URL(nil))
			continue
		}
		proxies, end, err := p.stage.Proxies()
		p.ends = append(p.ends, end)
		if err != nil {
			return nil, err
		}
		p.proxies = append(p.proxies, proxies[0])
		p.urls = append(p.urls, p.stage.URL([]string{proxies[0].Addr}))
	}
	p.kv, err = store.Open(ctx, p.stage.URL(p.stage.Hosts))
	return p, err
}

func (p *place) end() (err error) {
	for _, end := range p.ends {
		end()
	}
	if p.kv != nil {
		err = p.kv.Close()
	}
	if p.stage != nil {
		err = errors.Join(err, p.stage.End())
	}
	return err
}

// resign has an operator ask the leader to go.
func (p *place) resign(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return leadership.Ask(ctx, p.kv, key, leadership.Request{Action: leadership.Resign, By: "soak"})
}

// delete deletes the record of the election.
func (p *place) delete(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	pair, err := p.kv.Get(ctx, key, nil)
	if err != nil {
		return err
	}
	gone, err := p.kv.AtomicDelete(ctx, key, pair)
	if err == nil && !gone {
		err = store.ErrKeyModified
	}
	return err
}
