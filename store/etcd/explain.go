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

// explain says more of why no server could be reached, where gRPC has seen a
// connection end and no more: a client's certificate that is missing or refused,
// and a server that wants TLS of a client that does without.
func explain(ctx context.Context, hosts []string, config *tls.Config, err error) error {
	if !errors.Is(err, store.ErrNotReachable) {
		return err
	}
	ask := config
	if ask == nil {
		ask = &tls.Config{InsecureSkipVerify: true} // nothing is told to it
	}
	for _, host := range hosts {
		refusal := handshake(ctx, host, ask)
		var alert *net.OpError
		alerted := errors.As(refusal, &alert) && alert.Op == "remote error"
		switch {
		case config == nil && (refusal == nil || alerted):
			return fmt.Errorf("%w: %s wants TLS", err, host)
		case config != nil && alerted:
			return fmt.Errorf("%w: %s: %w", err, host, refusal)
		case config != nil && hungUp(refusal):
			return fmt.Errorf("%w: %s may be without TLS", err, host)
		}
	}
	if strings.Contains(err.Error(), net.ErrClosed.Error()) { // by gRPC, which has waited in vain
		return fmt.Errorf("%w: %s did not answer", store.ErrNotReachable, strings.Join(hosts, ","))
	}
	return err
}

// hungUp says whether a server has ended a handshake without a word of TLS.
func hungUp(err error) bool {
	var other tls.RecordHeaderError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.As(err, &other)
}

// handshake returns what is wrong with TLS at host, if anything.
func handshake(ctx context.Context, host string, config *tls.Config) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	dialer := tls.Dialer{Config: config}
	conn, err := dialer.DialContext(ctx, "tcp", host)
	if err != nil {
		return err
	}
	defer conn.Close()
	// A server refuses a client's certificate after the handshake is over for
	// the client. One that does not refuse waits for what we have to say.
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
