package httpapi

import (
	"bytes"
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

	// maxBody is how many bytes a JSON body may have, if a route says nothing else.
	maxBody = 64 << 10

	// NodeHeader names the node that a request is for, as ?node= does.
	NodeHeader = "X-Leadership-Node"
)

// checkKey says what is wrong with the key of an election.
func checkKey(key string) error { return checkText("key", key, maxKey) }

// checkName says what is wrong with a name. what is the name's, for the reason.
func checkName(what, name string) error { return checkText(what, name, maxName) }

func checkText(what, s string, most int) error {
	switch {
	case s == "":
		return refuse(http.StatusBadRequest, "%s is empty", what)
	case len(s) > most:
		return refuse(http.StatusBadRequest, "%s has %d bytes: at most %d will do", what, len(s), most)
	case !utf8.ValidString(s):
		return refuse(http.StatusBadRequest, "%s is not valid UTF-8", what)
	case strings.ContainsFunc(s, unicode.IsControl):
		return refuse(http.StatusBadRequest, "%s %q has a control character", what, s)
	}
	return nil
}

// query returns the parameters of a request; one that cannot be read is no
// parameter that is not there.
func query(r *http.Request) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "the query cannot be read: %v", err)
	}
	return values, nil
}

// parameter returns the value of a parameter, and whether there is one.
func parameter(values url.Values, name string) (string, bool, error) {
	switch all := values[name]; len(all) {
	case 0:
		return "", false, nil
	case 1:
		return all[0], true, nil
	default:
		return "", false, refuse(http.StatusBadRequest, "parameter %s is there %d times", name, len(all))
	}
}

// keyPrefix returns what the keys of the elections begin with that are asked for:
// nothing, where that is not said.
func keyPrefix(values url.Values) (string, error) {
	prefix, _, err := parameter(values, "prefix")
	if err == nil && prefix != "" {
		err = checkText("prefix", prefix, maxKey)
	}
	return prefix, err
}

// duration returns a parameter that is a duration, such as 1.5s, or a number of
// seconds; or the default.
func duration(values url.Values, name string, least, most, otherwise time.Duration) (time.Duration, error) {
	s, ok, err := parameter(values, name)
	if err != nil || !ok {
		return otherwise, err
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		d, err = time.ParseDuration(s + "s")
	}
	if err != nil || d < least || d > most {
		return 0, refuse(http.StatusBadRequest, "parameter %s is %.40q: must be a duration from %v to %v", name, s, least, most)
	}
	return d, nil
}

// number returns a parameter that is a whole number, or the default.
func number(values url.Values, name string, least, most, otherwise uint64) (uint64, error) {
	s, ok, err := parameter(values, name)
	if err != nil || !ok {
		return otherwise, err
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n < least || n > most {
		return 0, refuse(http.StatusBadRequest, "parameter %s is %.40q: must be a whole number from %d to %d", name, s, least, most)
	}
	return n, nil
}

// node returns who makes a request: the name that it gives, or else the address that it
// comes from.
func node(r *http.Request, values url.Values) (name string, named bool, err error) {
	name, named, err = parameter(values, "node")
	if err != nil {
		return "", false, err
	}
	headers := r.Header.Values(NodeHeader)
	for _, h := range headers {
		if named && h != name {
			return "", false, refuse(http.StatusBadRequest, "the node is named %.40q and %.40q", name, h)
		}
		name, named = h, true
	}
	if !named {
		return r.RemoteAddr, false, nil
	}
	return name, true, checkName("node", name)
}

// readBody returns the body of a request, of at most most bytes.
func readBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var large *http.MaxBytesError
	var late net.Error
	switch {
	case errors.As(err, &large):
		return nil, refuse(http.StatusRequestEntityTooLarge, "the body has more than %d bytes", most)
	case errors.As(err, &late) && late.Timeout():
		return nil, refuse(http.StatusRequestTimeout, "the body has not come within %v", bodyTimeout)
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "the body cannot be read")
	}
	// A request goes on for longer than its body comes.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // not every connection can
	return body, nil
}

// readJSON reads a body into v: one JSON value with no fields but v's.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := readBody(w, r, maxBody)
	if err != nil {
		return err
	}
	if !utf8.Valid(body) {
		return refuse(http.StatusBadRequest, "the body is not valid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return refuse(http.StatusBadRequest, "the body is not the JSON that is wanted: %v", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return refuse(http.StatusBadRequest, "the body goes on after its JSON value")
	}
	return nil
}
