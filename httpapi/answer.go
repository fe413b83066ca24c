package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/store"
)

// problem is an answer that reports an error, with its reason for the client.
type problem struct {
	status int
	reason string
	code   string // for programs; empty where the status tells enough
}

func (p problem) Error() string { return p.reason }

// refuse makes a problem.
func refuse(status int, format string, args ...any) error {
	return problem{status: status, reason: fmt.Sprintf(format, clock.Texts(args...)...)}
}

// conflicts are the errors of requests that the state of an election does not allow, with
// what programs know them by.
var conflicts = []struct {
	err    error
	status int
	code   string
}{
	{leadership.ErrHeld, http.StatusConflict, "held"},
	{leadership.ErrPaused, http.StatusConflict, "paused"},
	{leadership.ErrNoLeader, http.StatusConflict, "no_leader"},
	{leadership.ErrNotTransferred, http.StatusConflict, "not_transferred"},
	{leadership.ErrReplaced, http.StatusConflict, "replaced"},
	{leadership.ErrNoElection, http.StatusNotFound, "no_election"}, // and nothing of the above
}

// reason is what a client is told of an error of its own.
func reason(err error) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "leadership: "), leadership.ErrInvalidArgument.Error()+": ")
}

// problemOf returns the answer to an error, and whether the error is an answer: the
// others are failures, which are for the log, and the client is told their kind alone.
func problemOf(err error, style style) (p problem, known bool) {
	is := func(targets ...error) bool {
		return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
	}
	switch {
	case errors.As(err, &p):
		return p, true
	case is(leadership.ErrInvalidArgument, leadership.ErrCompletedByOther, leadership.ErrNotElected, leadership.ErrSuperseded):
		return problem{status: http.StatusBadRequest, reason: reason(err)}, true
	}
	for _, c := range conflicts {
		if errors.Is(err, c.err) {
			p = problem{c.status, reason(err), c.code}
			if is(leadership.ErrNoElection) {
				p.code = "no_election"
			}
			return p, true
		}
	}
	if errors.Is(err, leadership.ErrForeignRecord) && style == asJSON { // no failure of the store; gone has 500 alone
		return problem{http.StatusConflict, failure(err), "foreign_record"}, true
	}
	return problem{status: http.StatusInternalServerError, reason: failure(err)}, false
}

// failure is what a client is told of an error that is not its own.
func failure(err error) string {
	switch {
	case errors.Is(err, leadership.ErrForeignRecord):
		return "the key holds something else: it is left alone"
	case errors.Is(err, leadership.ErrUnsafeStore):
		return "the store does not compare and swap"
	case errors.Is(err, context.DeadlineExceeded):
		return "the store does not answer in time: try again"
	case errors.Is(err, store.ErrNotReachable):
		return "the store cannot be reached: try again"
	}
	return "the store failed"
}

// unanswered describes a failure to those who need not try again: the server does.
func unanswered(err error) string { return strings.TrimSuffix(failure(err), ": try again") }

// json answers with v.
func (c *call) json(status int, v any) error {
	body, err := encodeJSON(v)
	if err == nil {
		write(c.w, status, "application/json", body)
	}
	return err
}

// text answers with a text, which may be empty.
func (c *call) text(status int, body string) error {
	write(c.w, status, "text/plain; charset=utf-8", []byte(body))
	return nil
}

// none answers that there is nothing to tell.
func (c *call) none() error {
	write(c.w, http.StatusNoContent, "", nil)
	return nil
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
	answer := map[string]string{"error": p.reason}
	if p.code != "" {
		answer["code"] = p.code
	}
	body, _ := json.Marshal(answer) //nolint:errchkjson // A string always can.
	write(w, p.status, "application/json", append(body, '\n'))
}

// write answers. The client has twice bodyTimeout to read the answer, because the
// server may read the rest of the request's body before it sends that.
func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(2 * bodyTimeout)) // not every connection can
	if status != http.StatusNoContent {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	if status != http.StatusNoContent {
		_, _ = w.Write(body) // an error is the client's
	}
}

// maxUnread is how many bytes of an unused body are read, at most: as many as
// net/http's server reads.
const maxUnread = 256 << 10

// drain sends the answer and reads what is left of the body of a request whose client
// wants the connection closed. net/http's server does so only for a connection that
// stays open: it would close this one at once, and a client that still writes might
// never see the answer.
func drain(w *counting, body io.Reader) {
	connection := http.NewResponseController(w)
	if w.begun {
		_ = connection.Flush() // or the end of the request does
	}
	if connection.SetReadDeadline(time.Now().Add(bodyTimeout)) == nil {
		_, _ = io.Copy(io.Discard, body)
	}
}

// wantsJSON reports whether a client asks for JSON where the default is text.
func (c *call) wantsJSON() bool {
	return strings.Contains(strings.Join(c.r.Header.Values("Accept"), ","), "application/json")
}
