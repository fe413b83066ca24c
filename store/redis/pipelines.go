package redis

import (
	"context"
	"slices"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// pipelines sends commands that many callers make at the same time. While some pipelines
// are under way, what comes waits, and goes with the next: a process that writes much then
// needs fewer packets and connections, and so does the server. Where a reply takes long,
// each command is sent at once, as far as there are connections.
type pipelines struct {
	client goredis.UniversalClient
	few    int // pipelines are under way at once while replies are fast
	most   int // and while they are not

	mu      sync.Mutex
	waiting []queued
	running int
	moved   time.Time   // when a pipeline last began or ended
	late    *time.Timer // calls hurry while something waits
}

const (
	// slow is for how long no pipeline may end before others begin beside them.
	slow = 2 * time.Millisecond

	// maxPipeline is how many commands a pipeline has at most.
	maxPipeline = 64
)

// queued is a command that waits to be sent, for a caller that waits until its context ends.
type queued struct {
	ctx  context.Context
	cmd  goredis.Cmder
	done chan struct{} // closed when cmd has its reply or error
}

func newPipelines(client goredis.UniversalClient, conns int) *pipelines {
	p := &pipelines{client: client, few: min(conns, max(2, conns/8)), most: conns}
	p.late = time.AfterFunc(slow, p.hurry)
	return p
}

// process sends cmd and waits for its reply, or until ctx ends: then nobody may read cmd,
// which may be sent later on only if it is under way. The error is that of ctx or of cmd.
func (p *pipelines) process(ctx context.Context, cmd goredis.Cmder) error {
	q := queued{ctx, cmd, make(chan struct{})}
	p.mu.Lock()
	p.waiting = append(p.waiting, q)
	if p.running < p.few {
		p.running++
		go p.run()
	} else if len(p.waiting) == 1 {
		p.late.Reset(slow)
	}
	p.mu.Unlock()
	select {
	case <-q.done:
		return cmd.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hurry sends what waits beside pipelines that take long.
func (p *pipelines) hurry() {
	p.mu.Lock()
	if len(p.waiting) == 0 {
		p.mu.Unlock()
		return
	}
	p.late.Reset(slow)
	stuck := time.Since(p.moved) >= slow && p.running < p.most
	if stuck {
		p.running++
	}
	p.mu.Unlock()
	if stuck {
		p.run()
	}
}

// run sends what waits, until nothing does.
func (p *pipelines) run() {
	for {
		p.mu.Lock()
		n := min(len(p.waiting), maxPipeline)
		next := slices.Clone(p.waiting[:n])
		p.waiting = slices.Delete(p.waiting, 0, n)
		p.moved = time.Now()
		if n == 0 {
			p.running--
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		p.send(next)
	}
}

// send sends commands, except those that nobody waits for any more, and returns when all
// have a reply or an error.
func (p *pipelines) send(all []queued) {
	all = slices.DeleteFunc(all, func(q queued) bool { return q.ctx.Err() != nil })
	switch len(all) {
	case 0:
		return
	case 1:
		_ = p.client.Process(all[0].ctx, all[0].cmd) // it has its own error
	default:
		ctx, cancel := longest(all)
		defer cancel()
		pipe := p.client.Pipeline()
		for _, q := range all {
			_ = pipe.Process(ctx, q.cmd)
		}
		exec(ctx, pipe)
	}
	for _, q := range all {
		close(q.done)
	}
}

// longest returns a context that lasts as long as a caller may wait.
func longest(all []queued) (context.Context, context.CancelFunc) {
	ctx := context.WithoutCancel(all[0].ctx)
	var end time.Time
	for _, q := range all {
		deadline, ok := q.ctx.Deadline()
		if !ok {
			return ctx, func() {}
		}
		if deadline.After(end) {
			end = deadline
		}
	}
	return context.WithDeadline(ctx, end)
}
