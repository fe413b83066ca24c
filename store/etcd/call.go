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
	// A server that is back must be found within a fraction of a TTL. By default gRPC
	// waits for up to 120 s.
	shortestPause = 50 * time.Millisecond
	longestPause  = time.Second

	// connectTimeout bounds one attempt to connect, TLS included. It leaves Open time to
	// find out why the attempt failed.
	connectTimeout = 3 * time.Second
)

// DialOptions returns the dial options of clients by URL. For a client of your own, add
// them to the DialOptions of its clientv3.Config. With them:
//
//   - The client tries at least once a second to reach a server that was lost,
//     where gRPC may wait for 120 s.
//   - It never sends a write of a Store twice. etcd's client does so if a server,
//     or a proxy, answers that the request was cancelled: the effect of the first
//     request then looks like a write of another client.
//   - The error of a call of a Store whose context has ended has the reason why
//     there was no answer, such as a refused connection or an untrusted certificate.
//
// They do not change calls that are not a Store's.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: shortestPause, Multiplier: 1.6, Jitter: 0.2, MaxDelay: longestPause},
			MinConnectTimeout: connectTimeout,
		}),
		// Inside etcd's interceptor, which is the one that sends again.
		grpc.WithChainUnaryInterceptor(intercept),
	}
}

// call carries information between a call of a Store and intercept.
type call struct {
	hasty   bool // set by the caller: do not wait for a server that cannot be reached
	guarded bool // set by intercept: the request was sent at most once
}

type callKey struct{}

func withCall(ctx context.Context) (context.Context, *call) {
	if c, ok := ctx.Value(callKey{}).(*call); ok && c.hasty {
		return ctx, c
	}
	c := new(call)
	return context.WithValue(ctx, callKey{}, c), c
}

// intercept sends one request. etcd's client does not retry, and returns unchanged, an
// error without a gRPC status.
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

// because adds message to err, if it says more.
func because(err error, message string) error {
	message = strings.TrimPrefix(message, "latest balancer error: ")
	if message == "" || message == err.Error() || message == context.DeadlineExceeded.Error() {
		return err
	}
	return fmt.Errorf("%w: %s", err, message)
}
