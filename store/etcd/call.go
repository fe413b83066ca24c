package etcd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seed-a1d591d3/leadership/store"
)

const (
	// A server that is back is to be found within a fraction of a TTL. gRPC
	// waits for up to 120 s by default.
	shortestPause = 50 * time.Millisecond
	longestPause  = time.Second

	// connectTimeout is what one attempt to connect has, TLS included, and
	// leaves Open time to tell how it failed.
	connectTimeout = 3 * time.Second
)

// DialOptions are what clients by URL are dialled with. For a client of your
// own, put them into the DialOptions of its clientv3.Config:
//
//   - It tries once a second at least to reach a server that was lost, where
//     gRPC may let 120 s pass.
//   - It never sends a write of a Store twice. etcd's client does where a server,
//     or a proxy, says that it cancelled the request: what happened the first
//     time is then taken for the doing of somebody else.
//   - An error of a call of a Store whose context has ended says why there was
//     no answer, such as a refused connection or an untrusted certificate.
//
// Calls that are not a Store's are left as they are.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: shortestPause, Multiplier: 1.6, Jitter: 0.2, MaxDelay: longestPause},
			MinConnectTimeout: connectTimeout,
		}),
		// Inside etcd's own, which is the one that sends again.
		grpc.WithChainUnaryInterceptor(intercept),
	}
}

// call is what a call of a Store tells intercept, and hears from it.
type call struct {
	hasty   bool // do not wait for a server that cannot be reached
	guarded bool // intercept is there: what was sent was sent once
}

type callKey struct{}

func withCall(ctx context.Context) (context.Context, *call) {
	if c, ok := ctx.Value(callKey{}).(*call); ok && c.hasty {
		return ctx, c
	}
	c := new(call)
	return context.WithValue(ctx, callKey{}, c), c
}

// intercept sends one request. Its errors that have no gRPC status are final to
// etcd's client, which hands them on as they are.
func intercept(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return invoke(ctx, method, request, reply, conn, opts...)
	}
	c.guarded = true
	if c.hasty {
		opts = append(opts, grpc.WaitForReady(false))
	}
	err := invoke(ctx, method, request, reply, conn, opts...)
	code, message := status.Code(err), status.Convert(err).Message()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && c.hasty:
		return because(context.Cause(ctx), message)
	case ctx.Err() != nil:
		return because(ctx.Err(), message)
	case code == codes.Canceled || code == codes.DeadlineExceeded:
		return errors.New(message)
	case code == codes.Unavailable && c.hasty:
		return because(store.ErrNotReachable, message)
	default:
		return err
	}
}

// because adds to err what there is to say beyond it.
func because(err error, message string) error {
	message = strings.TrimPrefix(message, "latest balancer error: ")
	if message == "" || message == err.Error() || message == context.DeadlineExceeded.Error() {
		return err
	}
	return fmt.Errorf("%w: %s", err, message)
}
