package etcd

import (
	"context"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
)

// past detects that the servers have gone back: they have lost their data, or an older
// state was restored. etcd's client resumes watches from the last revision that they have
// seen, so they would carry nothing until the servers reach it again. The zero value is
// ready for use.
type past struct {
	mu       sync.Mutex
	cluster  uint64
	revision int64         // the latest one that was seen
	heard    time.Time     // when that was
	back     chan struct{} // closed when they go back
}

// seen returns the latest revision that was seen. Call it before a request, and see after
// it.
func (p *past) seen() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.revision
}

// see takes the header of a consistent answer. before is the result of seen before the
// request: the answer cannot be older, unless the servers have gone back.
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

// silent reports whether nothing was seen for d. Then it returns false for another d,
// because one caller's request is enough for all.
func (p *past) silent(d time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.heard) < d {
		return false
	}
	p.heard = time.Now()
	return true
}

// lookEvery is how often a watch sends a request to detect that the servers have gone
// back, if the store makes no other calls.
const lookEvery = time.Second

// lookBack reads key, so that past sees the answer.
func (s *Store) lookBack(ctx context.Context, key string) {
	ctx, cancel := context.WithTimeout(ctx, 5*lookEvery)
	defer cancel()
	_, _, _ = s.read(ctx, key)
}
