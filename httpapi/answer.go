package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
)

// problem is an answer that is no success: it tells its reason to the client.
type problem struct {
	status int
	reason string
}

func (p problem) Error() string { return p.reason }

// refuse makes a problem.
func refuse(status int, format string, args ...any) error {
	return problem{status, fmt.Sprintf(format, args...)}
}

// reason is what a client is told of an error of its own.
func reason(err error) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "leadership: "), leadership.ErrInvalidArgument.Error()+": ")
}

// failure is what a client is told of an error that is none of its own: what
// kind it is, for the rest is for the log.
func failure(err error) problem {
	why := "the store failed"
	switch {
	case errors.Is(err, leadership.ErrForeignRecord):
		why = "the key holds something else: it is left alone"
	case errors.Is(err, leadership.ErrUnsafeStore):
		why = "the store does not compare and swap"
	case errors.Is(err, context.DeadlineExceeded):
		why = "the store does not answer in time: try again"
	case errors.Is(err, store.ErrNotReachable):
		why = "the store cannot be reached: try again"
	}
	return problem{http.StatusInternalServerError, why}
}

// answerJSON answers with v.
func answerJSON(w http.ResponseWriter, status int, v any) error {
	body, err := encodeJSON(v)
	if err == nil {
		write(w, status, "application/json", body)
	}
	return err
}

// encodeJSON returns v as a line of JSON.
func encodeJSON(v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("httpapi: encode answer: %w", err)
	}
	return append(body, '\n'), nil
}

// answerError answers with the reason of a problem.
func answerError(w http.ResponseWriter, p problem) {
	body, _ := json.Marshal(map[string]string{"error": p.reason}) //nolint:errchkjson // A string always can.
	write(w, p.status, "application/json", append(body, '\n'))
}

// text answers with a text, which may be empty.
func text(w http.ResponseWriter, status int, body string) {
	write(w, status, "text/plain; charset=utf-8", []byte(body))
}

// write answers, for as long as a client may take to read that. Before it is sent the
// server may take what is left of the request's body.
func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(2 * bodyTimeout)) // not every connection can
	if status != http.StatusNoContent {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	if status != http.StatusNoContent {
		_, _ = w.Write(body) // nobody to tell but the client
	}
}

// maxUnread is how many bytes of a body that nobody wants are taken, at most: as many
// as net/http's server takes.
const maxUnread = 256 << 10

// drain sends the answer and takes what is left of the body of a request, where the
// client wants its connection closed: the server does that for one that goes on, but
// closes this one at once, and a client that still writes might never see the answer.
func drain(w *counting, body io.Reader) {
	connection := http.NewResponseController(w)
	if w.begun {
		_ = connection.Flush() // or the end of the request does
	}
	if connection.SetReadDeadline(time.Now().Add(bodyTimeout)) == nil {
		_, _ = io.Copy(io.Discard, body)
	}
}

// wantsJSON says whether a client asks for JSON where the default is text.
func wantsJSON(r *http.Request) bool {
	return strings.Contains(strings.Join(r.Header.Values("Accept"), ","), "application/json")
}
