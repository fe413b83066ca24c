package leadproxy_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/leadproxy"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// seat is a Source that a test sets.
type seat struct {
	mu   sync.Mutex
	term leadership.Term
}

func (s *seat) Term() (leadership.Term, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.term, s.term.Leader != ""
}

func (s *seat) give(term leadership.Term) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.term = term
}

// ledBy is a seat whose leader has that payload, and a TTL of 15 s.
func ledBy(payload string) *seat {
	return &seat{term: leadership.Term{Leader: "anna", Token: 7, TTL: 15 * time.Second, Payload: []byte(payload)}}
}

// serve runs h for as long as the test.
func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

// proxy runs a proxy for as long as the test.
func proxy(t *testing.T, follower leadproxy.Source, opts ...leadproxy.Option) *httptest.Server {
	t.Helper()
	p := leadproxy.New(follower, append(opts, nil)...)
	t.Cleanup(p.CloseIdleConnections)
	return serve(t, p)
}

// ask makes a request and returns the answer and its body.
func ask(t *testing.T, server *httptest.Server, method, path, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(answer)
}

// want checks the status of an answer and its Retry-After.
func want(t *testing.T, response *http.Response, status int, retryAfter string) {
	t.Helper()
	if got := response.Header.Get("Retry-After"); response.StatusCode != status || got != retryAfter {
		t.Errorf("got %d, Retry-After %q; want %d, %q", response.StatusCode, got, status, retryAfter)
	}
}

func TestRequestsGoToTheLeader(t *testing.T) {
	leader := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Kept", r.Header.Get("Kept"))
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, r.Method, " ", r.URL.RequestURI(), " ", string(body), " ", r.Header["Hop"], r.Header["X-Forwarded-For"],
			r.Header["X-Forwarded-Proto"], r.Header["X-Forwarded-Host"])
	}))
	address := strings.TrimPrefix(leader.URL, "http://")
	for _, payload := range []string{leader.URL, address, " " + address + "\n"} {
		server := proxy(t, ledBy(payload))
		host := strings.TrimPrefix(server.URL, "http://")
		response, body := ask(t, server, http.MethodPut, "/a%2Fb?c=d", "body",
			"Kept", "yes", "Hop", "no", "Connection", "Hop", "X-Forwarded-For", "6.6.6.6", "X-Forwarded-Proto", "https")
		want(t, response, http.StatusTeapot, "")
		if w := "PUT /a%2Fb?c=d body [] [127.0.0.1] [http] [" + host + "]"; body != w || response.Header.Get("Kept") != "yes" {
			t.Errorf("payload %q: got %q, want %q", payload, body, w)
		}
		if response.Header.Get(leadproxy.ServedByHeader) != "" {
			t.Error("it tells who leads, unasked")
		}
	}
	server := proxy(t, ledBy(leader.URL+"/prefix"), leadproxy.TrustForwarded())
	_, body := ask(t, server, http.MethodGet, "/path", "", "X-Forwarded-For", "6.6.6.6", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "example.org")
	if w := "GET /prefix/path  [] [6.6.6.6, 127.0.0.1] [https] [example.org]"; body != w {
		t.Errorf("got %q, want %q", body, w)
	}
}

func TestRequestsFollowTheLeader(t *testing.T) {
	name := func(name string) *httptest.Server {
		return serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) }))
	}
	anna, bert := name("anna"), name("bert")
	var follower seat
	server := proxy(t, &follower, leadproxy.WithServedBy())
	for _, c := range []struct{ leader, url, escaped string }{
		{"anna", anna.URL, "anna"}, {"bert", bert.URL, "bert"}, {"anna ä\n", anna.URL, "anna%20%C3%A4%0A"},
	} {
		follower.give(leadership.Term{Leader: c.leader, Token: 7, Payload: []byte(c.url)})
		response, body := ask(t, server, http.MethodGet, "/", "")
		if !strings.HasPrefix(c.leader, body) {
			t.Errorf("%s serves, and %s leads", body, c.leader)
		}
		if by, token := response.Header.Get(leadproxy.ServedByHeader), response.Header.Get(leadproxy.TokenHeader); by != c.escaped || token != "7" {
			t.Errorf("it says that %q serves under token %q", by, token)
		}
	}
}

func TestWithoutALeaderClientsAreToldWhenToComeBack(t *testing.T) {
	for _, c := range []struct {
		ttl  time.Duration
		want string
	}{{0, "1"}, {50 * time.Millisecond, "1"}, {3 * time.Second, "1"}, {3001 * time.Millisecond, "2"}, {15 * time.Second, "5"}, {time.Hour, "30"}} {
		leader := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		var follower seat
		server := proxy(t, &follower)
		if c.ttl != 0 {
			follower.give(leadership.Term{Leader: "anna", TTL: c.ttl, Payload: []byte(leader.URL)})
			response, _ := ask(t, server, http.MethodGet, "/", "")
			want(t, response, http.StatusOK, "")
			follower.give(leadership.Term{})
		}
		response, _ := ask(t, server, http.MethodGet, "/", "")
		want(t, response, http.StatusServiceUnavailable, c.want)
	}
	for _, nobody := range []leadproxy.Source{nil, (*leadership.Follower)(nil)} {
		response, _ := ask(t, proxy(t, nobody), http.MethodGet, "/", "")
		want(t, response, http.StatusServiceUnavailable, "1")
	}
}

func TestPayloadThatIsNoAddress(t *testing.T) {
	for _, payload := range []string{"", "ftp://host", "http://", "http://:80", "host:port:port", "http://a b", "mailto:a", "\x00", "/path"} {
		var log bytes.Buffer
		server := proxy(t, ledBy(payload), leadproxy.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		response, body := ask(t, server, http.MethodGet, "/", "")
		want(t, response, http.StatusBadGateway, "")
		server.Close() // for the log
		if !strings.Contains(log.String(), "anna") || !strings.Contains(body, "address") {
			t.Errorf("payload %q: logged %q and answered %q", payload, &log, body)
		}
	}
}

func TestPayloadOfOnesOwn(t *testing.T) {
	leader := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, c := range []struct {
		target func([]byte) (*url.URL, error)
		status int
	}{
		{func(p []byte) (*url.URL, error) { return url.Parse(strings.TrimPrefix(string(p), "at ")) }, http.StatusOK},
		{func([]byte) (*url.URL, error) { return nil, errors.New("no") }, http.StatusBadGateway},
		{func([]byte) (*url.URL, error) { return nil, nil }, http.StatusBadGateway},
		{func([]byte) (*url.URL, error) { return new(url.URL), nil }, http.StatusBadGateway},
	} {
		response, _ := ask(t, proxy(t, ledBy("at "+leader.URL), leadproxy.WithTarget(c.target)), http.MethodGet, "/", "")
		want(t, response, c.status, "")
	}
}

func TestLeaderServesItself(t *testing.T) {
	elsewhere := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "elsewhere") }))
	var candidate seat
	server := proxy(t, ledBy(elsewhere.URL), leadproxy.WithServedBy(),
		leadproxy.WithLocal(&candidate, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "here") })))
	for _, c := range []struct {
		name, want string
	}{{"", "elsewhere"}, {"bert", "here"}, {"", "elsewhere"}} {
		candidate.give(leadership.Term{Leader: c.name, Token: 8})
		response, body := ask(t, server, http.MethodGet, "/", "")
		if body != c.want {
			t.Errorf("served %s, want %s", body, c.want)
		}
		if by := response.Header.Get(leadproxy.ServedByHeader); c.name != "" && by != c.name {
			t.Errorf("it says that %q serves", by)
		}
		// One that a proxy has sent is served too, if this is the leader.
		if c.name != "" {
			response, _ = ask(t, server, http.MethodGet, "/", "", leadproxy.HopHeader, "1")
			want(t, response, http.StatusOK, "")
		}
	}
}

// Two nodes take each other for the leader, and a third takes itself.
func TestRequestsDoNotGoRound(t *testing.T) {
	var hops atomic.Int64
	var anna, bert, cleo seat
	node := func(follower *seat) *httptest.Server {
		p := leadproxy.New(follower, leadproxy.WithLocal(new(seat), http.NotFoundHandler()))
		t.Cleanup(p.CloseIdleConnections)
		return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			hops.Add(1)
			p.ServeHTTP(w, r)
		}))
	}
	a, b, c := node(&anna), node(&bert), node(&cleo)
	anna.give(leadership.Term{Leader: "bert", TTL: 15 * time.Second, Payload: []byte(b.URL)})
	bert.give(leadership.Term{Leader: "anna", TTL: 15 * time.Second, Payload: []byte(a.URL)})
	cleo.give(leadership.Term{Leader: "cleo", TTL: 15 * time.Second, Payload: []byte(c.URL)})
	for _, server := range []*httptest.Server{a, b, c} {
		hops.Store(0)
		response, _ := ask(t, server, http.MethodPost, "/", "body")
		want(t, response, http.StatusServiceUnavailable, "5")
		if n := hops.Load(); n != 2 {
			t.Errorf("%d hops, want 2", n)
		}
	}
}

func TestLeaderThatDoesNotAnswer(t *testing.T) {
	var requests atomic.Int64
	release := make(chan struct{})
	leader := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		switch r.URL.Path {
		case "/hang":
			<-release
		default:
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(func() { close(release) }) // before the server is closed
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, c := range []struct {
		name, url, path, method string
		status                  int
		retryAfter              string
	}{
		{"refuses", gone.URL, "/", http.MethodPost, http.StatusServiceUnavailable, "15"},
		{"hangs up", leader.URL, "/", http.MethodPost, http.StatusBadGateway, ""},
		{"hangs up", leader.URL, "/", http.MethodGet, http.StatusBadGateway, ""},
		{"hangs", leader.URL, "/hang", http.MethodPost, http.StatusGatewayTimeout, ""},
	} {
		t.Run(c.name+" on "+c.method, func(t *testing.T) {
			requests.Store(0)
			server := proxy(t, ledBy(c.url), leadproxy.WithTimeout(50*time.Millisecond), leadproxy.WithTransport(nil), leadproxy.WithTarget(nil))
			response, _ := ask(t, server, c.method, c.path, "body")
			want(t, response, c.status, c.retryAfter)
			if n := requests.Load(); c.url == leader.URL && n != 1 {
				t.Errorf("it was sent %d times, want once", n)
			}
		})
	}
}

func TestTransportOfOnesOwn(t *testing.T) {
	failing := roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("no") })
	response, _ := ask(t, proxy(t, ledBy("host:80"), leadproxy.WithTransport(failing)), http.MethodGet, "/", "")
	want(t, response, http.StatusBadGateway, "")
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
