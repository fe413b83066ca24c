package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestMalformedRequestsGetAReasonAndChangeNothing(t *testing.T) {
	kv := memory.New()
	server := serve(t, kv)
	expect(t, server, "GET", "/api/v1/elect/sys/1?node=anna&attempt_ttl=1h", "", 202, "")
	before := contents(t, kv)
	if before == "" {
		t.Fatal("there is nothing that could change")
	}
	long := strings.Repeat("x", 129)
	const elect, complete = "/api/v1/elect/sys/1", "/api/v1/complete/sys/1"
	for _, c := range []struct {
		method, path, body string
		status             int
		says               string
		headers            []string
	}{
		{"POST", "/", "", 405, "POST", nil},
		{"GET", "/page", "", 404, "nothing under this path", nil},
		{"GET", "/api/v1", "", 404, "path", nil},
		{"GET", "/api/v1/elect", "", 404, "path", nil},
		{"GET", "/api/v1/elect/", "", 404, "path", nil},
		{"GET", "/api/v1/elect/sys", "", 404, "path", nil},
		{"GET", "/api/v1/elect/sys/", "", 404, "path", nil},
		{"GET", "/api/v1/elect//1", "", 404, "empty part", nil},
		{"GET", "//api/v1/elect/sys/1", "", 404, "empty part", nil},
		{"GET", "/api/v1/elect/sys/1/2", "", 404, "path", nil},
		{"GET", "/api/v1/elect/sys/../1", "", 404, "dots", nil},
		{"GET", "/api/v1/elect/./1", "", 404, "dots", nil},
		{"GET", "/API/v1/elect/sys/1", "", 404, "path", nil},
		{"GET", "/api/v2/elect/sys/1", "", 404, "path", nil},
		{"GET", "/api/v1/elect/%2e%2e/1", "", 400, "system", nil},
		{"GET", "/api/v1/elect/sys/%2E", "", 400, "round", nil},
		{"GET", "/api/v1/elect/s%2Fy/1", "", 400, "slash", nil},
		{"GET", "/api/v1/elect/sys/1%00", "", 400, "control character", nil},
		{"GET", "/api/v1/elect/sys/1%0a", "", 400, "control character", nil},
		{"GET", "/api/v1/elect/sys/1%7f", "", 400, "control character", nil},
		{"GET", "/api/v1/elect/sys/1%C2%85", "", 400, "control character", nil},
		{"GET", "/api/v1/elect/%ff/1", "", 400, "system is not valid UTF-8", nil},
		{"GET", "/api/v1/elect/sys/%c3%28", "", 400, "round is not valid UTF-8", nil},
		{"GET", "/api/v1/elect/" + long + "/1", "", 400, "129 bytes", nil},
		{"GET", "/api/v1/elect/sys/" + long, "", 400, "129 bytes", nil},
		{"GET", "/api/v1/elected/sys/" + long, "", 400, "129 bytes", nil},
		{"GET", "/api/v1/completed/sys/%00", "", 400, "control character", nil},
		{"GET", "/api/v1/await/sys/%00", "", 400, "control character", nil},
		{"GET", elect + "?node=", "", 400, "node is empty", nil},
		{"GET", elect + "?node", "", 400, "node is empty", nil},
		{"GET", elect + "?node=" + long, "", 400, "node has 129 bytes", nil},
		{"GET", elect + "?node=a%00", "", 400, "control character", nil},
		{"GET", elect + "?node=%ff", "", 400, "not valid UTF-8", nil},
		{"GET", elect + "?node=%zz", "", 400, "query", nil},
		{"GET", elect + "?node=a;b", "", 400, "query", nil},
		{"GET", elect + "?node=a&node=b", "", 400, "2 times", nil},
		{"GET", elect + "?node=a", "", 400, `"b"`, []string{httpapi.NodeHeader, "b"}},
		{"GET", elect, "", 400, `"b"`, []string{httpapi.NodeHeader, "a", httpapi.NodeHeader, "b"}},
		{"GET", elect, "", 400, "129 bytes", []string{httpapi.NodeHeader, long}},
		{"GET", elect, "", 400, "empty", []string{httpapi.NodeHeader, ""}},
		{"GET", elect, "", 400, "UTF-8", []string{httpapi.NodeHeader, "\xff"}},
		{"GET", elect + "?attempt_ttl=soon", "", 400, "attempt_ttl", nil},
		{"GET", elect + "?attempt_ttl=", "", 400, "attempt_ttl", nil},
		{"GET", elect + "?attempt_ttl=-1s", "", 400, "attempt_ttl", nil},
		{"GET", elect + "?attempt_ttl=0", "", 400, "attempt_ttl", nil},
		{"GET", elect + "?attempt_ttl=1ms", "", 400, "50ms", nil},
		{"GET", elect + "?attempt_ttl=9999999h", "", 400, "attempt_ttl", nil},
		{"GET", elect + "?attempt_ttl=NaN", "", 400, "attempt_ttl", nil},
		{"GET", complete + "?node=anna&attempt=one", "", 400, "attempt", nil},
		{"GET", complete + "?node=anna&attempt=0", "", 400, "attempt", nil},
		{"GET", complete + "?node=anna&attempt=-1", "", 400, "attempt", nil},
		{"GET", complete + "?node=anna&attempt=2", "", 400, "superseded", nil},
		{"GET", complete + "?node=anna&attempt=99999999999999999999", "", 400, "attempt", nil},
		{"POST", complete + "?node=bert", "", 400, `"anna" is`, nil},
		{"POST", complete + "?node=anna", strings.Repeat("x", leadership.MaxRoundResult+1), 413, "4096 bytes", nil},
		{"POST", complete + "?node=anna", strings.Repeat("x", 10<<20), 413, "4096 bytes", nil},
		{"GET", "/api/v1/await/sys/1?timeout=1h", "", 400, " to 5m", nil},
		{"GET", "/api/v1/await/sys/1?timeout=-1", "", 400, "timeout", nil},
		{"GET", "/api/v1/await/sys/1?timeout=1&timeout=2", "", 400, "2 times", nil},
		{"GET", "/api/v1/rounds", "", 400, "system", nil},
		{"GET", "/api/v1/rounds?system=", "", 400, "system", nil},
		{"GET", "/api/v1/rounds?system=a%2Fb", "", 400, "slash", nil},
		{"GET", "/api/v1/rounds?system=sys&limit=0", "", 400, "limit", nil},
		{"GET", "/api/v1/rounds?system=sys&limit=1e3", "", 400, "limit", nil},
		{"POST", "/api/v1/elect/sys/2?node=a", "", 405, "POST", nil},
		{"HEAD", "/api/v1/elect/sys/2?node=a", "", 405, "", nil},
		{"DELETE", "/api/v1/elect/sys/1?node=anna", "", 405, "DELETE", nil},
		{"OPTIONS", "/api/v1/elect/sys/1", "", 405, "OPTIONS", nil},
		{"PUT", complete + "?node=anna", "", 405, "PUT", nil},
		{"HEAD", complete + "?node=anna", "", 405, "", nil},
		{"POST", "/api/v1/elected/sys/1", "", 405, "POST", nil},
		{"PATCH", "/api/v1/rounds", "", 405, "PATCH", nil},
		{"POST", "/alive", "", 405, "POST", nil},
	} {
		response, body := send(t, server, c.method, c.path, c.body, c.headers...)
		if response.StatusCode != c.status || !strings.Contains(body, c.says) || c.method != "HEAD" && body == "" {
			t.Errorf("%s %.60s %q: %d %q, want %d %q", c.method, c.path, c.headers, response.StatusCode, body, c.status, c.says)
		}
		if allow := response.Header.Get("Allow"); (c.status == 405) != strings.Contains(allow, "GET") {
			t.Errorf("%s %.60s: Allow %q", c.method, c.path, allow)
		}
		if strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") && c.method != "HEAD" {
			var e struct{ Error string }
			if err := json.Unmarshal([]byte(body), &e); err != nil || e.Error == "" {
				t.Errorf("%s %.60s: %q, %v", c.method, c.path, body, err)
			}
		}
	}
	if after := contents(t, kv); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// Clients that close their connection after a request write all of it before they read.
func TestLargeBodyThatIsRefusedDoesNotLoseTheAnswer(t *testing.T) {
	server := serve(t, memory.New())
	for range 50 {
		for _, size := range []int{5_000, 250_000, 300_000, 10 << 20} {
			body := strings.Repeat("x", size)
			expect(t, server, "POST", "/api/v1/complete/sys/1?node=a", body, 413, "*4096")
			expect(t, server, "POST", "/api/v1/elect/sys/1?node=a", body, 405, "*POST")
		}
	}
}

// What no client of net/http would send.
func TestRequestsThatAreNoHTTPAreRefused(t *testing.T) {
	kv := memory.New()
	server := serve(t, kv)
	for name, raw := range map[string]string{
		"no HTTP":          "elect me\r\n\r\n",
		"NUL in the path":  "GET /api/v1/elect/sys/\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
		"bad escape":       "GET /api/v1/elect/sys/%zz HTTP/1.1\r\nHost: a\r\n\r\n",
		"NUL in a header":  "GET /api/v1/elect/sys/1 HTTP/1.1\r\nHost: a\r\nX-Leadership-Node: a\x00\r\n\r\n",
		"no Host":          "GET /api/v1/elect/sys/1 HTTP/1.1\r\n\r\n",
		"long headers":     "GET /api/v1/elect/sys/1 HTTP/1.1\r\nHost: a\r\nX-Long: " + strings.Repeat("x", 64<<10) + "\r\n\r\n",
		"two lengths":      "POST /api/v1/complete/sys/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"negative length":  "POST /api/v1/complete/sys/1 HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
		"chunks that lie":  "POST /api/v1/complete/sys/1?node=a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"unknown encoding": "POST /api/v1/complete/sys/1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: rot13\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(conn, raw) // it may be refused before all is sent
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if s := response.StatusCode; (s < 400 || s > 499) && s != http.StatusNotImplemented {
				t.Errorf("got %d", s)
			}
		})
	}
	if after := contents(t, kv); after != "" {
		t.Errorf("it has changed something:\n%s", after)
	}
}

// In virtual time, over a connection in memory.
func TestSlowBodyIsNotWaitedForLong(t *testing.T) {
	for request, want := range map[string]int{
		"POST /api/v1/complete/sys/1?node=a HTTP/1.1\r\nHost: a\r\n":                      408,
		"POST /api/v1/complete/sys/1?node=a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n": 408,
		"GET /api/v1/elect/sys/1?node=a HTTP/1.1\r\nHost: a\r\n":                          202,
		"GET /api/v1/elect/sys/1?node=a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n":     202,
		"GET /api/v1/elect/sys/1?node=a HTTP/1.0\r\n":                                     202,
		"POST /api/v1/elect/sys/1?node=a HTTP/1.0\r\n":                                    405,
	} {
		synctest.Test(t, func(t *testing.T) {
			api, err := httpapi.New(memory.New())
			if err != nil {
				t.Fatal(err)
			}
			client, conn := net.Pipe()
			listener := &oneConn{conn: make(chan net.Conn, 1), done: make(chan struct{})}
			listener.conn <- conn
			server := httpapi.NewServer("", api)
			ended := make(chan error, 1)
			go func() { ended <- server.Serve(listener) }()
			began := time.Now()
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				fmt.Fprintf(client, "%sContent-Length: 1000\r\n\r\n", request)
				for {
					if _, err := client.Write([]byte("x")); err != nil {
						return
					}
					time.Sleep(time.Second)
				}
			}()
			closing := !strings.HasSuffix(request, "Host: a\r\n")
			if !closing {
				time.Sleep(12 * time.Second) // the server has waited for the body until now
			}
			response, err := http.ReadResponse(bufio.NewReader(client), nil)
			if err != nil {
				t.Fatalf("%q: %v", request, err)
			}
			if _, err := io.Copy(io.Discard, response.Body); err != nil {
				t.Errorf("%q: %v", request, err)
			}
			response.Body.Close()
			took := time.Since(began)
			if response.StatusCode != want || took > 15*time.Second {
				t.Errorf("%q: %d after %v, want %d", request, response.StatusCode, took, want)
			}
			if closing && want != 408 && took > 0 {
				t.Errorf("%q: answered after %v", request, took)
			}
			// It hangs up, and does not wait for the rest.
			if _, err := client.Read(make([]byte, 1)); err == nil {
				t.Error("there is more")
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("%q: it hangs up after %v", request, took)
			}
			client.Close()
			if err := api.Close(); err != nil {
				t.Error(err)
			}
			server.Close()
			if err := <-ended; !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
			<-sent
		})
	}
}

// oneConn is a listener with one connection.
type oneConn struct {
	conn chan net.Conn
	done chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *oneConn) Close() error   { close(l.done); return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// panics is a store with a mistake.
type panics struct{ store.Store }

func (panics) List(context.Context, string, *store.ReadOptions) ([]*store.KVPair, error) {
	return []*store.KVPair{nil}, nil
}

func TestPanicIsAnsweredAndTellsNothing(t *testing.T) {
	var log bytes.Buffer
	api, err := httpapi.New(panics{memory.New()}, httpapi.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	w := httptest.NewRecorder()
	api.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/rounds?system=sys", nil))
	if w.Code != 500 || w.Body.String() != `{"error":"internal error"}`+"\n" || !strings.Contains(log.String(), "nil pointer") {
		t.Errorf("%d %s; logged %q", w.Code, w.Body, &log)
	}
}

func TestFailuresAreLoggedWithTheirCause(t *testing.T) {
	var log bytes.Buffer
	kv := faultstore.New(memory.New())
	kv.Refuse()
	api, err := httpapi.New(kv, httpapi.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	w := httptest.NewRecorder()
	api.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/elect/sys/1", nil))
	if w.Code != 500 || w.Body.String() != "the store cannot be reached: try again" || !strings.Contains(log.String(), "injected fault") {
		t.Errorf("%d %s; logged %q", w.Code, w.Body, &log)
	}
}

func TestNewRefusesInvalidOptions(t *testing.T) {
	kv := memory.New()
	for says, made := range map[string]func() (*httpapi.Handler, error){
		"store":                   func() (*httpapi.Handler, error) { return httpapi.New(nil) },
		"not a nil *memory.Store": func() (*httpapi.Handler, error) { return httpapi.New((*memory.Store)(nil)) },
		"5 bytes":                 func() (*httpapi.Handler, error) { return httpapi.New(kv, httpapi.WithTokens(nil, []string{"short"})) },
		"0 bytes":                 func() (*httpapi.Handler, error) { return httpapi.New(kv, httpapi.WithTokens([]string{""}, nil)) },
		"retention":               func() (*httpapi.Handler, error) { return httpapi.New(kv, httpapi.WithRetention(time.Second)) },
		"margin":                  func() (*httpapi.Handler, error) { return httpapi.New(kv, httpapi.WithMargin(time.Microsecond)) },
		"grace":                   func() (*httpapi.Handler, error) { return httpapi.New(kv, httpapi.WithGrace(-1)) },
		"less the margin": func() (*httpapi.Handler, error) {
			return httpapi.New(kv, httpapi.WithMargin(time.Minute), httpapi.WithGrace(time.Hour-time.Minute))
		},
		"system": func() (*httpapi.Handler, error) { return httpapi.New(kv, httpapi.WithRetention(time.Hour, "")) },
	} {
		if _, err := made(); !errors.Is(err, leadership.ErrInvalidArgument) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}
