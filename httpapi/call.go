package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// maxKey and maxName are how many bytes a key, and the name of a node,
	// system or round, may have.
	maxKey, maxName = 512, 128

	// maxBody is how many bytes a JSON body may have.
	maxBody = 64 << 10

	// NodeHeader names the node that a request is for, as ?node= does.
	NodeHeader = "X-Leadership-Node"
)

// call is a request that a route serves, and its answer. The methods that read
// from the request keep the first thing that is wrong with it in err; what they
// return after that means nothing.
type call struct {
	w   http.ResponseWriter
	r   *http.Request
	err error

	values url.Values // the query; nil until it is used
}

// fail keeps err, unless an earlier one is kept. It reports whether one is.
func (c *call) fail(err error) bool {
	if c.err == nil {
		c.err = err
	}
	return c.err != nil
}

// key returns the key of the election in the path.
func (c *call) key() string {
	key := c.r.PathValue("key")
	c.fail(checkKey(key))
	return key
}

// round returns the names of the system and of the round in the path.
func (c *call) round() (system, round string) {
	system, round = c.r.PathValue("system"), c.r.PathValue("round")
	c.fail(checkName("system", system))
	c.fail(checkName("round", round))
	return system, round
}

// all returns the values of a parameter of the query. A query that cannot be parsed
// is an error, not one without the parameter.
func (c *call) all(name string) []string {
	if c.values == nil {
		var err error
		if c.values, err = url.ParseQuery(c.r.URL.RawQuery); err != nil {
			c.fail(refuse(http.StatusBadRequest, "the query cannot be read: %v", err))
		}
	}
	return c.values[name]
}

// parameter returns the value of a parameter, and whether there is one.
func (c *call) parameter(name string) (value string, ok bool) {
	switch all := c.all(name); len(all) {
	case 0:
		return "", false
	case 1:
		return all[0], true
	default:
		c.fail(refuse(http.StatusBadRequest, "parameter %s is there %d times", name, len(all)))
		return "", false
	}
}

// prefix returns the prefix of the keys that are asked for; the default is none.
func (c *call) prefix() string {
	prefix, _ := c.parameter("prefix")
	if prefix != "" {
		c.fail(checkText("prefix", prefix, maxKey))
	}
	return prefix
}

// duration returns a parameter that is a duration, such as 1.5s, or a number of
// seconds; or the default.
func (c *call) duration(name string, least, most, otherwise time.Duration) time.Duration {
	s, ok := c.parameter(name)
	if !ok {
		return otherwise
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		d, err = time.ParseDuration(s + "s")
	}
	if err != nil || d < least || d > most {
		c.fail(refuse(http.StatusBadRequest, "parameter %s is %.40q: must be a duration from %v to %v", name, s, least, most))
	}
	return d
}

// number returns a parameter that is a whole number, or the default.
func (c *call) number(name string, least, most, otherwise uint64) uint64 {
	s, ok := c.parameter(name)
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n < least || n > most {
		c.fail(refuse(http.StatusBadRequest, "parameter %s is %.40q: must be a whole number from %d to %d", name, s, least, most))
	}
	return n
}

// limit returns how many entries of a list are asked for.
func (c *call) limit() int { return int(c.number("limit", 1, maxListed, maxListed)) }

// node returns the name of the node that makes the request, where it gives one, or
// else the address that it comes from.
func (c *call) node() (name string, named bool) {
	name, named = c.parameter("node")
	for _, header := range c.r.Header.Values(NodeHeader) {
		if named && header != name {
			c.fail(refuse(http.StatusBadRequest, "the node is named %.40q and %.40q", name, header))
		}
		name, named = header, true
	}
	if !named {
		return c.r.RemoteAddr, false
	}
	c.fail(checkName("node", name))
	return name, true
}

// body returns the body of the request, of at most most bytes.
func (c *call) body(most int64) []byte {
	if c.err != nil {
		return nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, most))
	var large *http.MaxBytesError
	var late net.Error
	switch {
	case errors.As(err, &large):
		c.fail(refuse(http.StatusRequestEntityTooLarge, "the body has more than %d bytes", most))
	case errors.As(err, &late) && late.Timeout():
		c.fail(refuse(http.StatusRequestTimeout, "the body has not come within %v", bodyTimeout))
	case err != nil:
		c.fail(refuse(http.StatusBadRequest, "the body cannot be read"))
	default:
		// The request may last longer than its body takes.
		_ = http.NewResponseController(c.w).SetReadDeadline(time.Time{}) // not every connection can
	}
	return body
}

// decode reads the body into v: one JSON value with no fields but v's.
func (c *call) decode(v any) {
	body := c.body(maxBody)
	if c.err != nil {
		return
	}
	if !utf8.Valid(body) {
		c.fail(refuse(http.StatusBadRequest, "the body is not valid UTF-8"))
		return
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		c.fail(refuse(http.StatusBadRequest, "the body is not the JSON that is wanted: %v", strings.TrimPrefix(err.Error(), "json: ")))
	} else if _, err := d.Token(); !errors.Is(err, io.EOF) {
		c.fail(refuse(http.StatusBadRequest, "the body goes on after its JSON value"))
	}
}

// place takes one of the places for clients that wait for long, if one is free.
func (c *call) place(places chan struct{}) (leave func(), err error) {
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	default:
		c.w.Header().Set("Retry-After", "1")
		return nil, refuse(http.StatusServiceUnavailable, "too many clients wait already: try again later")
	}
}

// storing returns the context for what a request asks of the store.
func (h *Handler) storing(c *call) (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.r.Context(), h.timeout)
}

// while returns a context that ends with the request and with Close: for long
// polls and streams.
func (h *Handler) while(c *call) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(c.r.Context())
	stop := context.AfterFunc(h.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// errWaited is the cause of the end of a wait: a context.DeadlineExceeded.
var errWaited error = waited{}

type waited struct{}

func (waited) Error() string { return "the wait is over" }
func (waited) Unwrap() error { return context.DeadlineExceeded }

// waiting calls f for a client that waits for long: in a place of its own, and for
// no longer than d.
func (h *Handler) waiting(c *call, places chan struct{}, d time.Duration, f func(ctx context.Context) error) error {
	leave, err := c.place(places)
	if err != nil {
		return err
	}
	defer leave()
	ctx, cancel := h.while(c)
	defer cancel()
	ctx, expire := context.WithTimeoutCause(ctx, d, errWaited)
	defer expire()
	return f(ctx)
}

// checkKey returns what is wrong with the key of an election.
func checkKey(key string) error { return checkText("key", key, maxKey) }

// checkName returns what is wrong with a name; what says whose name it is.
func checkName(what, name string) error { return checkText(what, name, maxName) }

func checkText(what, s string, most int) error {
	switch {
	case s == "":
		return refuse(http.StatusBadRequest, "%s is empty", what)
	case len(s) > most:
		return refuse(http.StatusBadRequest, "%s has %d bytes: must have at most %d", what, len(s), most)
	case !utf8.ValidString(s):
		return refuse(http.StatusBadRequest, "%s is not valid UTF-8", what)
	case strings.ContainsFunc(s, unicode.IsControl):
		return refuse(http.StatusBadRequest, "%s %q has a control character", what, s)
	}
	return nil
}
