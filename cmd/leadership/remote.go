package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/view"
)

const (
	// replyTimeout is how long a server may take to answer, besides the time that it waits
	// for others; streamSilence is how long a stream may be silent, which has a comment
	// every 15 s; and againPause is the pause before a stream is opened again.
	replyTimeout  = 10 * time.Second
	streamSilence = 40 * time.Second
	againPause    = time.Second

	// leastWait, mostWait and mostForget are how long a server waits for what was asked.
	leastWait, mostWait, mostForget = time.Second, time.Minute, 5 * time.Minute

	maxAnswer = 32 << 20 // bytes of an answer, or of an event
)

// remote are the elections of a server.
type remote struct {
	p      *program
	from   string // the flag or variable that names it
	base   *url.URL
	token  func() (string, error)
	client *http.Client
}

// newRemote makes no request.
func (p *program) newRemote(from, server string) (*remote, error) {
	base, err := url.Parse(server)
	switch {
	case err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.RawQuery != "" || base.Fragment != "":
		return nil, usage("%s is %q: must be the URL of a leadership serve, such as http://%s", from, server, defaultListen)
	case base.User != nil:
		return nil, usage("%s is %s: a server takes a token, by --token-file, and no user", from, base.Redacted())
	case base.Scheme == "http" && p.reached.tls != clientTLS{}:
		return nil, usage("--tls-ca, --tls-cert and --tls-key are of no use for %s, which begins with http://", base)
	}
	config, err := p.reached.tls.load()
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // It is one.
	transport.TLSClientConfig = config
	r := &remote{p: p, from: from, base: base, token: p.clientToken}
	r.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	_, err = r.token()
	return r, err
}

// clientToken returns the token for a server, or an empty string.
func (p *program) clientToken() (string, error) {
	from, file := "--token-file", p.reached.tokenFile
	if file == "" {
		from, file = "LEADERSHIP_WRITE_TOKEN_FILE", p.env("LEADERSHIP_WRITE_TOKEN_FILE")
	}
	if file == "" {
		return strings.TrimSpace(cmp.Or(p.env("LEADERSHIP_WRITE_TOKEN"), p.env("LEADERSHIP_READ_TOKEN"))), nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", usage("%s: %w", from, err)
	}
	all, err := splitTokens(string(content))
	if err != nil {
		return "", usage("%s: %s: %w", from, file, err)
	}
	return all[0], nil
}

// Close implements elections.
func (r *remote) Close() error {
	r.client.CloseIdleConnections()
	return nil
}

// remoteError is what a server has answered that is no success.
type remoteError struct {
	status int
	reason string
	is     error // or nil
}

func (e *remoteError) Error() string { return e.reason }
func (e *remoteError) Unwrap() error { return e.is }

// codes are the errors of the library by what a server calls them.
var codes = map[string]error{
	"held": leadership.ErrHeld, "paused": leadership.ErrPaused, "no_leader": leadership.ErrNoLeader, "no_election": leadership.ErrNoElection,
	"not_transferred": leadership.ErrNotTransferred, "replaced": leadership.ErrReplaced, "foreign_record": leadership.ErrForeignRecord,
}

// open makes a request, and returns the answer if it is a success. Close its body.
func (r *remote) open(ctx context.Context, method, path string, query url.Values, body any, header ...string) (*http.Response, error) {
	target := strings.TrimSuffix(r.base.String(), "/") + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, target, content)
	if err != nil {
		return nil, usage("%s: %w", r.from, err)
	}
	token, err := r.token()
	if err != nil {
		return nil, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := r.client.Do(request)
	if err != nil {
		var inner *url.Error
		if errors.As(err, &inner) {
			err = inner.Err
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("%s: no answer from %s: %w", r.from, r.base, err)
	}
	if response.StatusCode >= http.StatusOK && response.StatusCode < http.StatusMultipleChoices {
		return response, nil
	}
	defer response.Body.Close()
	return nil, r.refusal(response)
}

// refusal returns the error in an answer.
func (r *remote) refusal(response *http.Response) error {
	var answer struct{ Error, Code string }
	content, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if json.Unmarshal(content, &answer) != nil || answer.Error == "" {
		answer.Error = fmt.Sprintf("the answer is %s: is that a leadership serve?", response.Status)
	}
	e := &remoteError{response.StatusCode, answer.Error, codes[answer.Code]}
	switch {
	case e.is != nil:
		return e
	case e.status == http.StatusUnauthorized:
		e.reason += ": name one by --token-file, LEADERSHIP_WRITE_TOKEN_FILE or LEADERSHIP_WRITE_TOKEN"
	case e.status == http.StatusBadRequest:
		return usage("%w", e)
	}
	return fmt.Errorf("%s %s: %w", r.from, r.base, e)
}

// get decodes an answer into v.
func (r *remote) get(ctx context.Context, path string, query url.Values, v any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, replyTimeout, errors.New("none within "+clock.Text(replyTimeout)))
	defer cancel()
	response, err := r.open(ctx, http.MethodGet, path, query, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(v); err != nil {
		return fmt.Errorf("%s: the answer of %s cannot be read: is that a leadership serve? %w", r.from, r.base, err)
	}
	return nil
}

const electionsPath = "/api/v1/elections"

// pathOf is that of an election: its key is one part of the path.
func pathOf(key string) string { return electionsPath + "/" + url.PathEscape(key) }

func (r *remote) look(ctx context.Context, key string) (found, error) {
	var e view.Election
	err := r.get(ctx, pathOf(key), nil, &e)
	return foundOf(e), err
}

func (r *remote) list(ctx context.Context, prefix string) (all []found, more bool, err error) {
	var answer struct {
		Elections []view.Election `json:"elections"`
		More      bool            `json:"more"`
	}
	query := url.Values{}
	if prefix != "" {
		query.Set("prefix", prefix)
	}
	err = r.get(ctx, electionsPath, query, &answer)
	for _, e := range answer.Elections {
		all = append(all, foundOf(e))
	}
	return all, answer.More, err
}

// foundOf is an election of an answer as a look at a store finds it.
func foundOf(e view.Election) found {
	f := found{expired: e.Expired, Standing: leadership.Standing{
		Key: e.Key, Beat: e.Beat, Session: e.Session, Left: time.Duration(e.FreeIn) * time.Millisecond,
		Term: leadership.Term{Leader: e.Leader, Token: e.Token, Since: e.Since, TTL: time.Duration(e.TTL) * time.Millisecond, Payload: e.Base64},
	}}
	if e.Payload != nil {
		f.Term.Payload = []byte(*e.Payload)
	}
	if e.Last != nil {
		f.Term.Last = leadership.Ending(*e.Last)
	}
	for _, w := range e.Waiting {
		f.Waiting = append(f.Waiting, leadership.Waiting(w))
	}
	if a := e.Asked; a != nil {
		f.Asked = leadership.Request{Action: a.Action, To: a.To, Hold: time.Duration(a.Hold) * time.Millisecond, Keep: a.Keep, By: a.By}
		f.AskedAt = a.At
	}
	return f
}

// wait returns for how long a server is to wait: as long as ctx does.
func (r *remote) wait(ctx context.Context, most time.Duration) (time.Duration, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return most, nil
	}
	wait := time.Until(deadline).Round(100 * time.Millisecond)
	if wait < leastWait || wait > most {
		return 0, usage("--timeout is %v: must be from %v to %v with a server", wait, leastWait, most)
	}
	return wait, nil
}

func (r *remote) ask(ctx context.Context, key string, q leadership.Request) error {
	wait, err := r.wait(ctx, mostWait)
	if err != nil {
		return err
	}
	body := map[string]any{"action": q.Action, "wait": wait.String(), "by": q.By}
	if q.Action == leadership.Transfer {
		body["to"], body["hold"] = q.To, q.Hold.String()
	}
	if q.Keep {
		body["keep"] = true
	}
	if q.Create {
		body["create"] = true
	}
	response, err := r.patient(ctx, wait, http.MethodPost, pathOf(key)+"/requests", nil, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusAccepted {
		return fmt.Errorf("%s %q: %w within %s", q.Action, key, leadership.ErrNotObeyed, clock.Text(wait))
	}
	return nil
}

func (r *remote) forget(ctx context.Context, key string) error {
	wait, err := r.wait(ctx, mostForget)
	if err != nil {
		return err
	}
	response, err := r.patient(ctx, wait, http.MethodDelete, pathOf(key), url.Values{"wait": {wait.String()}}, nil)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// patient makes a request that a server answers after wait, at the latest. So the time of
// ctx is the server's, and the answer may come a moment later.
func (r *remote) patient(ctx context.Context, wait time.Duration, method, path string, query url.Values, body any) (*http.Response, error) {
	longer, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), wait+replyTimeout, errors.New("none within "+clock.Text(wait+replyTimeout)))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			cancel() // it was interrupted
		}
	})
	defer stop()
	return r.open(longer, method, path, query, body)
}

// follow opens the stream again when it has ended, and goes on where it was.
func (r *remote) follow(ctx context.Context, key, prefix string) iter.Seq2[[]byte, error] {
	path, query := pathOf(key)+"/events", url.Values(nil)
	if key == "" {
		path = "/api/v1/events"
		if prefix != "" {
			query = url.Values{"prefix": {prefix}}
		}
	}
	return func(yield func([]byte, error) bool) {
		s := &stream{remote: r, path: path, query: query}
		for opened := false; ; {
			err := s.read(ctx, func(line []byte) bool {
				if s.failing {
					s.failing = false
					r.p.logger().Warn("the server answers again", "server", r.base.String())
				}
				opened = true
				return yield(line, nil)
			})
			var refused *remoteError
			switch {
			case err == nil || ctx.Err() != nil:
				return
			case !opened, errors.As(err, &refused) && refused.status < http.StatusInternalServerError:
				yield(nil, err)
				return
			case s.fresh: // a stream may end at any time, and another server goes on with it
			case !s.failing:
				s.failing = true
				r.p.logger().Warn("the stream has ended: it is opened again", "server", r.base.String(), "error", err)
				if !yield([]byte(`{"type":"cut"}`), nil) {
					return
				}
			}
			if clock.Pause(ctx, againPause) != nil {
				return
			}
		}
	}
}

// stream is one that is opened again and again.
type stream struct {
	*remote
	path    string
	query   url.Values
	last    string // the id of the latest event
	fresh   bool   // the latest attempt has had events
	failing bool   // and the one before it had none
}

// read passes on events until the stream ends, which is an error, or tell returns false.
func (s *stream) read(ctx context.Context, tell func(line []byte) bool) error {
	s.fresh = false
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := time.AfterFunc(streamSilence, func() { cancel(fmt.Errorf("silent for %s", clock.Text(streamSilence))) })
	defer silent.Stop()
	var header []string
	if s.last != "" {
		header = []string{"Last-Event-ID", s.last}
	}
	response, err := s.open(ctx, http.MethodGet, s.path, s.query, nil, header...)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxAnswer)
	for lines.Scan() {
		silent.Reset(streamSilence)
		switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
		case "id":
			s.last = value
		case "data":
			s.fresh = true
			if !tell([]byte(value)) {
				return nil
			}
		}
	}
	return cmp.Or(lines.Err(), context.Cause(ctx), io.ErrUnexpectedEOF)
}
