package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

const (
	// maxReads and maxWrites are how many calls the client has at once. Calls whose
	// context has ended count until the client returns from them.
	maxReads, maxWrites = 24, 32

	// tick is how often a call checks whether the client has a session.
	tick = 5 * time.Millisecond

	// tellBehind is how long a client must be without a session before errors name the
	// possible causes.
	tellBehind = 5 * time.Second
)

var (
	errWaited  = errors.New("the session has ended while other calls were under way")
	errSession = errors.New("the session has ended during the call")
)

// limit is one of the methods of base.Limits.
type limit func(ctx context.Context, f func() error) error

// call returns the result of f, which uses the client within a limit, or the error of
// ctx. f is not called before the client has a session: it would wait for one even after
// ctx has ended, and take effect however late that is. f may be called again after it has
// failed without a change.
func call[T any](ctx context.Context, s *Store, within limit, f func() (T, error)) (T, error) {
	for {
		var none T
		if err := s.session(ctx); err != nil {
			return none, err
		}
		value, err := base.Await(ctx, func() (value T, err error) {
			err = within(ctx, func() error {
				if err := ctx.Err(); err != nil {
					return err
				}
				if !s.usable() {
					return errWaited
				}
				before := s.login.now()
				value, err = f()
				if errors.Is(err, zk.ErrNoAuth) && s.login.renew(s.conn, before) {
					value, err = f() // a refused call has changed nothing
				}
				return err
			})
			return value, err
		})
		// ErrNoServer means that the client has not sent the request.
		if !errors.Is(err, errWaited) && !errors.Is(err, errSession) && !errors.Is(err, zk.ErrNoServer) {
			return value, err
		}
		if pause(ctx) != nil {
			return none, fmt.Errorf("%w: %w", err, ctx.Err())
		}
	}
}

// read is call for a function that reads. If opts ask for it, the server first catches up
// with the leader. The client may then move to another server in the same session,
// because that has all that the session has seen. In a new session the server may not, so
// f is called again.
func read[T any](ctx context.Context, s *Store, within limit, opts *store.ReadOptions, f func() (T, error)) (T, error) {
	if opts != nil && !opts.Consistent {
		return call(ctx, s, within, f)
	}
	return call(ctx, s, within, func() (T, error) {
		var none T
		session := s.conn.SessionID()
		if _, err := s.conn.Sync("/"); err != nil {
			return none, err
		}
		value, err := f()
		if err == nil && s.conn.SessionID() != session {
			return none, errSession
		}
		return value, err
	})
}

// session waits until the client has a session, or is closed.
func (s *Store) session(ctx context.Context) error {
	for late := false; ; late = true {
		if s.usable() {
			s.lost.Store(0)
			if !late {
				return nil
			}
			// The session has just begun. The client is setting its watches again, and
			// may miss a change if it gets the answer to a call before that.
			if pause(ctx) == nil {
				return nil
			}
		}
		s.lost.CompareAndSwap(0, time.Now().UnixNano())
		if pause(ctx) != nil {
			err := ctx.Err()
			if s.why != nil {
				err = errors.Join(err, s.why())
			}
			return fmt.Errorf("%w: the client has no session%s: %w", store.ErrNotReachable, s.behind(), err)
		}
	}
}

// usable reports whether the client has a session. One that is disconnected begins to
// connect at once, unless it is closed, which its error says.
func (s *Store) usable() bool {
	state := s.conn.State()
	return state == zk.StateHasSession || state == zk.StateDisconnected
}

// behind returns what an error adds about a client of the user that has been without a
// session for long. The client of a URL begins a new session.
func (s *Store) behind() string {
	lost := s.lost.Load()
	since := time.Since(time.Unix(0, lost))
	if s.own != nil || s.conn.SessionID() == 0 || lost == 0 || since < tellBehind {
		return ""
	}
	return fmt.Sprintf(", for %v; if the servers run, they may allow no more connections of this address (maxClientCnxns), or have lost data that it has seen, or were put back to an older state: "+
		"then go-zookeeper never comes back, so give New a new client (one of store.Open comes back by itself)", since.Round(time.Second))
}

// pause waits for a tick, or returns the error of ctx.
func pause(ctx context.Context) error { return base.Sleep(ctx, tick) }
