package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/await"
)

const (
	// maxCalls is how many calls are with the client at once. Those that nobody
	// waits for any more count too, until the client gives them up.
	maxCalls = 32

	// tick is how often a call looks whether the client has a session.
	tick = 5 * time.Millisecond
)

var errBusy = errors.New("too many calls are under way")

// call returns what f does with the client, or the error of ctx. Until the
// client has a session f is not called: it would wait for one whether ctx ends
// or not, and be carried out however late that is. f may be called again after it has
// failed without a change.
func call[T any](ctx context.Context, s *Store, f func() (T, error)) (T, error) {
	for {
		var none T
		if err := s.session(ctx); err != nil {
			return none, err
		}
		value, err := await.Call(ctx, func() (T, error) {
			select {
			case s.calls <- struct{}{}:
				defer func() { <-s.calls }()
				return f()
			default:
				return none, errBusy
			}
		})
		// ErrNoServer is for what the client has not sent.
		if !errors.Is(err, errBusy) && !errors.Is(err, zk.ErrNoServer) {
			return value, err
		}
		if err := pause(ctx); err != nil {
			return none, fmt.Errorf("%w: %w", err, ctx.Err())
		}
	}
}

// session waits until the client has a session, or is closed.
func (s *Store) session(ctx context.Context) error {
	for late := false; ; late = true {
		switch s.conn.State() {
		// A client that is disconnected begins to connect at once, unless it is
		// closed. It says so itself.
		case zk.StateHasSession, zk.StateDisconnected:
			if !late {
				return nil
			}
			// The session has just begun. Now the client sets its watches again,
			// and may miss a change if it gets the answer to a call before that.
			if pause(ctx) == nil {
				return nil
			}
		}
		if pause(ctx) != nil {
			return fmt.Errorf("%w: the client has no session: %w", store.ErrNotReachable, ctx.Err())
		}
	}
}

// pause waits for a tick, or returns the error of ctx.
func pause(ctx context.Context) error {
	select {
	case <-time.After(tick):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
