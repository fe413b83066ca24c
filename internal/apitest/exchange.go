package apitest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
)

// Request is one to a handler.
type Request struct {
	Method, Path, Body string
	Headers            []string
	Slow               bool   // the body does not come in time
	Until              string // the client goes once it has read this
}

// HTTP returns it as a handler gets it.
func (r Request) HTTP() *http.Request {
	h := httptest.NewRequestWithContext(context.Background(), r.Method, r.Path, strings.NewReader(r.Body))
	if r.Slow {
		h.Body, h.ContentLength = io.NopCloser(late{}), 10
	}
	for i := 0; i < len(r.Headers); i += 2 {
		h.Header.Add(r.Headers[i], r.Headers[i+1])
	}
	if r.Body != "" && strings.HasPrefix(r.Body, "{") {
		h.Header.Set("Content-Type", "application/json")
	} else if r.Body != "" {
		h.Header.Set("Content-Type", "text/plain")
	}
	return h
}

// late is a body that does not come in time.
type late struct{}

func (late) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

// Exchange is a request, and how it was answered.
type Exchange struct {
	Request
	Pattern string // of the route
	Status  int
	Header  http.Header
	Answer  []byte
}

// Events are those of a stream.
func (e Exchange) Events() [][]byte {
	if e.Header.Get("Content-Type") != "text/event-stream" {
		return nil
	}
	var all [][]byte
	for line := range strings.Lines(string(e.Answer)) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			all = append(all, []byte(data))
		}
	}
	return all
}
