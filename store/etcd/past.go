package etcd

import (
	"context"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
)

// past tells when the servers have gone back: they have lost their data, or were put back
// to an older state. etcd's client has its watches go on from the revision that they saw
// last, so they would be silent until that comes again. The zero value has seen nothing.
type past struct {
	mu       sync.Mutex
	cluster  uint64
	revision int64         // the latest that was seen
	heard    time.Time     // when that was
	back     chan struct{} // closed when they go back
}

// seen returns the latest revision that was seen, to be handed to see after a call.
func (p *past) seen() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.revision
}

// see takes the header of an answer that a majority stands for. before is what seen
// returned before it was asked for: it cannot be older than that, unless the servers
// have gone back.
func (p *past) see(before int64, header *etcdserverpb.ResponseHeader) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = time.Now()
	if header.GetRevision() < before || p.cluster != 0 && p.cluster != header.GetClusterId() {
		if p.back != nil {
			close(p.back)
			p.back = nil
		}
		p.revision = 0
	}
	p.cluster = header.GetClusterId()
	p.revision = max(p.revision, header.GetRevision())
}

// wentBack returns a channel that is closed when the servers go back from now on.
func (p *past) wentBack() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.back == nil {
		p.back = make(chan struct{})
	}
	return p.back
}

// silent reports whether nothing was seen for so long, and if so has others wait as long
// again before it does for them: one look will do for all.
func (p *past) silent(d time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.heard) < d {
		return false
	}
	p.heard = time.Now()
	return true
}

// lookEvery is how often the servers are asked whether they have gone back, where no other
// call of the store does.
const lookEvery = time.Second

// lookBack asks for key, to show the answer to past.
func (s *Store) lookBack(ctx context.Context, key string) {
	ctx, cancel := context.WithTimeout(ctx, 5*lookEvery)
	defer cancel()
	_, _, _ = s.read(ctx, key)
}
