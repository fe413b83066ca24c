package httpapi

import (
	"context"
	"sync"

	"github.com/seed-a1d591d3/leadership"
)

// awaits waits for rounds to be completed: once for each round, however many clients
// wait for it. It is safe for concurrent use.
type awaits struct {
	h *Handler

	mu      sync.Mutex
	byRound map[[2]string]*awaited
}

// awaited is a round that clients wait for.
type awaited struct {
	clients int // guarded by the owner's mu
	cancel  context.CancelFunc
	done    chan struct{} // closed when it has been completed, or err is set
	err     error         // why it cannot be waited for
}

func newAwaits(h *Handler) *awaits {
	return &awaits{h: h, byRound: make(map[[2]string]*awaited)}
}

// completed waits until a round has been completed, or ctx ends. It returns an error if
// the key holds something else.
func (a *awaits) completed(ctx context.Context, system, round string) error {
	name := [2]string{system, round}
	a.mu.Lock()
	w := a.byRound[name]
	if w == nil {
		w = &awaited{done: make(chan struct{})}
		w.run(a, name)
		a.byRound[name] = w
	}
	w.clients++
	a.mu.Unlock()
	defer a.leave(name, w)
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// run waits for the round until its clients have left, or the handler is closed.
func (w *awaited) run(a *awaits, name [2]string) {
	var ctx context.Context
	ctx, w.cancel = context.WithCancel(a.h.ctx)
	a.h.own(func(context.Context) {
		defer w.cancel()
		_, err := a.h.awaited.Round(name[0], name[1], "await", leadership.Anonymous()).Await(ctx)
		if ctx.Err() == nil {
			w.err = err
			close(w.done)
		}
	})
}

// leave removes a client.
func (a *awaits) leave(name [2]string, w *awaited) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if w.clients--; w.clients > 0 {
		return
	}
	w.cancel()
	if a.byRound[name] == w {
		delete(a.byRound, name)
	}
}
