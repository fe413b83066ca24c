package faultstore_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestElections(t *testing.T) {
	server := &memoryServer{}
	electiontest.Run(t, electiontest.Env{Open: server.open, Server: server})
}

// memoryServer is a store in memory that can be stopped and frozen: for all
// clients at once.
type memoryServer struct {
	kv memory.Store

	mu    sync.Mutex
	links []*faultstore.Store
	state func(*faultstore.Store)
}

func (s *memoryServer) open(testing.TB) store.Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	link := faultstore.New(&s.kv)
	if s.state != nil {
		s.state(link)
	}
	s.links = append(s.links, link)
	return link
}

func (s *memoryServer) all(f func(*faultstore.Store)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = f
	for _, link := range slices.Clone(s.links) {
		f(link)
	}
}

func (s *memoryServer) Stop() {
	s.all(func(link *faultstore.Store) { link.Refuse(); link.KillWatches() })
}
func (s *memoryServer) Start()  { s.all((*faultstore.Store).Heal) }
func (s *memoryServer) Freeze() { s.all((*faultstore.Store).Partition) }
func (s *memoryServer) Thaw()   { s.all((*faultstore.Store).Heal) }
