package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// explain adds why no server could be reached, where gRPC knows only that a connection
// has ended: a client certificate is missing or refused, or the server requires TLS.
func explain(ctx context.Context, hosts []string, config *tls.Config, err error) error {
	if !errors.Is(err, store.ErrNotReachable) {
		return err
	}
	ask := config
	if ask == nil {
		ask = &tls.Config{InsecureSkipVerify: true} // nothing is sent to it
	}
	for _, host := range hosts {
		refusal := handshake(ctx, host, ask)
		var alert *net.OpError
		alerted := errors.As(refusal, &alert) && alert.Op == "remote error"
		switch {
		case config == nil && (refusal == nil || alerted):
			return fmt.Errorf("%w: %s requires TLS", err, host)
		case config != nil && alerted:
			return fmt.Errorf("%w: %s: %w", err, host, refusal)
		case config != nil && hungUp(refusal):
			return fmt.Errorf("%w: %s may be without TLS", err, host)
		}
	}
	if strings.Contains(err.Error(), net.ErrClosed.Error()) { // by gRPC, after it has waited for an answer
		return fmt.Errorf("%w: %s did not answer", store.ErrNotReachable, strings.Join(hosts, ","))
	}
	return err
}

// hungUp reports whether a server has ended a handshake without an answer in TLS.
func hungUp(err error) bool {
	var other tls.RecordHeaderError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.As(err, &other)
}

// handshake returns the error of TLS at host, if any.
func handshake(ctx context.Context, host string, config *tls.Config) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	dialer := tls.Dialer{Config: config}
	conn, err := dialer.DialContext(ctx, "tcp", host)
	if err != nil {
		return err
	}
	defer conn.Close()
	// A server refuses a client certificate after the handshake is over for the client. A
	// server that accepts it waits for a request.
	if deadline, ok := ctx.Deadline(); ok {
		err = conn.SetDeadline(deadline)
	}
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}
