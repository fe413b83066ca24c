package fence_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/fence"
	"github.com/seed-a1d591d3/leadership/internal/fencetest"
)

// serve answers a request with these values of the header, of which the first
// is its name.
func serve(h http.Handler, path, header string, values ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader("body"))
	for _, value := range values {
		r.Header.Add(header, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// echo answers with the token that it finds in the context.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	token, ok := fence.TokenFromContext(r.Context())
	fmt.Fprint(w, token, ok)
})

func TestHandlerAnswersWhatTheCheckRefuses(t *testing.T) {
	failing := fencetest.Func(func(string, uint64) error { return errors.New("secret of the store") })
	for _, c := range []struct {
		name   string
		values []string
		check  fence.Checker
		opts   []fence.HTTPOption
		status int
		body   string
	}{
		{"higher", []string{"8"}, nil, nil, 200, "8 true"},
		{"equal", []string{"7"}, nil, nil, 200, "7 true"},
		{"stale", []string{"6"}, nil, nil, 412, `stale fencing token: 6 for "default", where 7 has been seen`},
		{"stale elsewhere", []string{"6"}, nil, []fence.HTTPOption{fence.WithResource("other")}, 200, "6 true"},
		{"zero", []string{"0"}, nil, nil, 400, "above 0"},
		{"word", []string{"seven"}, nil, nil, 400, "one decimal number"},
		{"empty", []string{""}, nil, nil, 400, "one decimal number"},
		{"signed", []string{"+7"}, nil, nil, 400, "one decimal number"},
		{"fraction", []string{"7.0"}, nil, nil, 400, "one decimal number"},
		{"list", []string{"7,8"}, nil, nil, 400, "one decimal number"},
		{"too high", []string{"18446744073709551615"}, nil, nil, 400, "below 2^62"},
		{"far too high", []string{"18446744073709551616"}, nil, nil, 400, "one decimal number"},
		{"twice", []string{"7", "7"}, nil, nil, 400, "one decimal number"},
		{"missing", nil, nil, nil, 428, "Fencing-Token"},
		{"missing, allowed", nil, nil, []fence.HTTPOption{fence.AllowMissing()}, 200, "0 false"},
		{"malformed, missing allowed", []string{"x"}, nil, []fence.HTTPOption{fence.AllowMissing()}, 400, "decimal"},
		{"invalid resource", []string{"7"}, nil, []fence.HTTPOption{fence.WithResource("")}, 400, "must not be empty"},
		{"failed check", []string{"7"}, failing, nil, 503, "could not be checked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.check == nil {
				memory := new(fence.Memory)
				if err := memory.Check(t.Context(), fence.DefaultResource, 7); err != nil {
					t.Fatal(err)
				}
				c.check = memory
			}
			opts := append([]fence.HTTPOption{nil, fence.WithLogger(nil), fence.WithResourceOf(nil), fence.WithHeader("")}, c.opts...)
			w := serve(fence.Handler(c.check, echo, opts...), "/", fence.DefaultHeader, c.values...)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.body) {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Body, c.status, c.body)
			}
			if strings.Contains(w.Body.String(), "secret") {
				t.Errorf("it tells clients about the inside: %q", w.Body)
			}
		})
	}
}

func TestHandlerComparesTokensPerResource(t *testing.T) {
	h := fence.Handler(new(fence.Memory), echo, fence.WithHeader("X-Token"),
		fence.WithResourceOf(func(r *http.Request) string { return r.URL.Path }))
	for _, c := range []struct {
		path, token string
		status      int
	}{{"/a", "7", 200}, {"/b", "6", 200}, {"/a", "6", 412}, {"/b", "6", 200}} {
		if w := serve(h, c.path, "X-Token", c.token); w.Code != c.status {
			t.Errorf("%s %s: got %d, want %d", c.path, c.token, w.Code, c.status)
		}
	}
}

func TestHandlerThatIsNotSetUp(t *testing.T) {
	for _, h := range []http.Handler{fence.Handler(nil, echo), fence.Handler(new(fence.Memory), nil)} {
		if w := serve(h, "/", fence.DefaultHeader, "7"); w.Code != http.StatusInternalServerError {
			t.Errorf("got %d, want 500", w.Code)
		}
	}
}

// over makes a check of a Handler.
func over(h http.Handler) fence.Checker {
	return fencetest.Func(func(_ string, token uint64) error {
		switch w := serve(h, "/", fence.DefaultHeader, fmt.Sprint(token)); w.Code {
		case http.StatusOK:
			return nil
		case http.StatusPreconditionFailed:
			return fence.ErrStale
		default:
			return errors.New(w.Body.String())
		}
	})
}

// TestRacingRequestsAreInOrder races checks over HTTP.
func TestRacingRequestsAreInOrder(t *testing.T) {
	h := fence.Handler(new(fence.Memory), echo)
	if err := fencetest.Racing(t.Context(), []fence.Checker{over(h)}, fencetest.Dice(t), 4, 100); err != nil {
		t.Error(err)
	}
}

// leader is one whose term a test sets.
type leader struct {
	mu   sync.Mutex
	term leadership.Term
}

func (l *leader) lead(token uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.term = leadership.Term{Token: token}
}

func (l *leader) Term() (leadership.Term, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.term, l.term.Token != 0
}

// closing is a body that knows whether it was closed.
type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestTransportSendsTheTokenAndRefusesWithoutOne(t *testing.T) {
	server := httptest.NewServer(fence.Handler(new(fence.Memory), echo))
	defer server.Close()
	var l leader
	client := http.Client{Transport: fence.NewTransport(server.Client().Transport, l.Term)}
	passing := http.Client{Transport: fence.NewTransport(server.Client().Transport, nil)}
	send := func(client http.Client, ctx context.Context) (string, error) {
		body := &closing{Reader: strings.NewReader("body")}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(fence.DefaultHeader, "1")
		response, err := client.Do(r)
		if r.Header.Get(fence.DefaultHeader) != "1" {
			t.Error("the caller's request was changed")
		}
		if err != nil {
			if !body.closed {
				t.Error("the body was not closed")
			}
			return "", err
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		return fmt.Sprint(response.StatusCode, " ", string(answer)), err
	}
	ctx := t.Context()
	for _, c := range []struct {
		name   string
		client http.Client
		leads  uint64
		ctx    context.Context
		want   string // empty for ErrNotLeader
	}{
		{"leads nothing", client, 0, ctx, ""},
		{"leads", client, 7, ctx, "200 7 true"},
		{"leads again", client, 9, ctx, "200 9 true"},
		{"in its term", client, 9, fence.WithToken(ctx, 9), "200 9 true"},
		{"after its term", client, 10, fence.WithToken(ctx, 9), ""},
		{"has lost its term", client, 0, fence.WithToken(ctx, 9), ""},
		{"passes a token on", passing, 0, fence.WithToken(ctx, 9), "200 9 true"},
		{
			"passes an old token on", passing, 0, fence.WithToken(ctx, 8),
			"412 fence: stale fencing token: 8 for \"default\", where 9 has been seen\n",
		},
		{"has no token to pass on", passing, 0, ctx, ""},
	} {
		l.lead(c.leads)
		got, err := send(c.client, c.ctx)
		if c.want == "" && !errors.Is(err, fence.ErrNotLeader) || c.want != "" && err != nil || got != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}
