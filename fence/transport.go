package fence

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/seed-a1d591d3/leadership"
)

// ErrNotLeader means that a request was not sent, because its sender does not
// lead, or no longer in the term in which the request began.
var ErrNotLeader = errors.New("not the leader")

type transport struct {
	httpOptions
	base http.RoundTripper
	term func() (leadership.Term, bool)
}

// NewTransport makes a transport that sends requests by base with the token of
// the present term, and refuses to send any while there is none: they fail with
// ErrNotLeader, which an http.Client wraps. term tells the present term: the
// Term method of a Candidate.
//
// A request whose context carries a token (WithToken) is sent with that one, and
// only as long as it is that of the present term. Work that may outlast its term
// should carry it: otherwise what was begun in one term of this node is sent
// with the token of a later one.
//
// term may be nil: then the token has to be in the context. base may be nil:
// http.DefaultTransport. Whatever the request has in the header is replaced. The
// transport is safe for concurrent use if base is.
func NewTransport(base http.RoundTripper, term func() (leadership.Term, bool), opts ...HTTPOption) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{httpOptions: newHTTPOptions(opts), base: base, term: term}
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := t.token(r)
	if err != nil {
		if r.Body != nil {
			r.Body.Close() // as a RoundTripper must
		}
		return nil, err
	}
	r = r.Clone(r.Context()) // which it must not change
	r.Header.Set(t.header, strconv.FormatUint(token, 10))
	return t.base.RoundTrip(r)
}

// token is the token that r is to be sent with.
func (t *transport) token(r *http.Request) (uint64, error) {
	token, carried := TokenFromContext(r.Context())
	if t.term == nil {
		if !carried {
			return 0, fmt.Errorf("fence: send to %s: %w: there is no token", r.URL.Host, ErrNotLeader)
		}
		return token, nil
	}
	term, leads := t.term()
	switch {
	case !leads:
		return 0, fmt.Errorf("fence: send to %s: %w", r.URL.Host, ErrNotLeader)
	case carried && token != term.Token:
		return 0, fmt.Errorf("fence: send to %s: %w in the term of token %d: that of %d has begun",
			r.URL.Host, ErrNotLeader, token, term.Token)
	}
	return term.Token, nil
}
