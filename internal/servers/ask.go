package servers

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
)

var client = newClient(nil)

// newClient makes a client that keeps no connections: those to a killed server
// would get in the way of the next question, and of tests that count goroutines.
func newClient(config *tls.Config) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
}

// request makes an HTTP request and returns the body of its answer.
func request(ctx context.Context, method, url, body string) (string, error) {
	return requestBy(ctx, client, nil, method, url, body)
}

// requestBy is request by a client of its own, with a header.
func requestBy(ctx context.Context, client *http.Client, header http.Header, method, url, body string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	maps.Copy(req.Header, header)
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, answer)
	}
	return string(answer), err
}

// ask sends question over a TCP connection of its own and returns what comes
// back, up to a line's end or the connection's.
func ask(ctx context.Context, addr, question string) (string, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	return askOver(ctx, conn, question)
}

// askOver is ask over that connection, which it closes.
func askOver(ctx context.Context, conn net.Conn, question string) (string, error) {
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return "", err
		}
	}
	if _, err := io.WriteString(conn, question); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}
