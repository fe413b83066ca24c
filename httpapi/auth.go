package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
)

// role is the right that a route asks of its client.
type role int

const (
	anyone role = iota // no token, ever
	reader             // a token for reading, or for writing
	writer             // a token for writing; and the request is one that changes something
)

// allowed returns why a request may not be served, or nil: it must have the token that the
// route needs, and must not come from a foreign web page if it changes something.
func (h *Handler) allowed(w http.ResponseWriter, r *http.Request, needs role) error {
	guarded := h.guarded()
	certified := r.TLS != nil && len(r.TLS.PeerCertificates) > 0 // a browser sends that by itself
	if needs == writer {
		checked := r
		if (guarded || certified) && r.Method == http.MethodGet {
			// A GET of gone changes something.
			checked = r.WithContext(r.Context())
			checked.Method = http.MethodPost
		}
		if err := h.origin.Check(checked); err != nil {
			return problem{status: http.StatusForbidden, reason: "a request that changes something must not come from a foreign web page"}
		}
		if checked.Method != http.MethodGet && !guarded && rebindable(r) {
			return problem{status: http.StatusForbidden, reason: "by this name, without tokens and TLS, a web page may not change anything: the page may be a foreign one; use the address"}
		}
	}
	if needs == anyone || !guarded {
		return nil
	}
	switch has := h.holds(r); {
	case has == anyone:
		w.Header().Set("WWW-Authenticate", "Bearer")
		return problem{status: http.StatusUnauthorized, reason: "a valid bearer token is needed"}
	case needs == writer && has != writer:
		return problem{status: http.StatusForbidden, reason: "this bearer token is for reading only"}
	}
	return nil
}

// guarded reports whether tokens are asked for.
func (h *Handler) guarded() bool {
	return len(h.readTokens)+len(h.writeTokens) > 0 || h.tokenSource != nil
}

// holds returns the right that the token of a request gives: that of anyone, unless the
// token is valid.
func (h *Handler) holds(r *http.Request) role {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	read, write := among(token, h.readTokens), among(token, h.writeTokens)
	if h.tokenSource != nil {
		readers, writers := h.tokenSource()
		read, write = among(token, readers) || read, among(token, writers) || write
	}
	switch {
	case !strings.EqualFold(scheme, "Bearer"):
	case write:
		return writer
	case read:
		return reader
	}
	return anyone
}

// mayWrite reports whether a client has the right to change something.
func (h *Handler) mayWrite(r *http.Request) bool {
	if !h.guarded() {
		return !rebindable(r)
	}
	return h.holds(r) == writer
}

// rebindable reports whether a request may come from a foreign web page that takes
// this server for its own: the owner of a domain can let its name lead to any address,
// such as that of the loopback interface (DNS rebinding). Addresses, this machine's own
// name and names of one part are no domains of others; and with TLS the server would
// need the domain's certificate.
func rebindable(r *http.Request) bool {
	if r.TLS != nil || r.Header.Get("Origin") == "" && r.Header.Get("Sec-Fetch-Site") == "" {
		return false // no web page
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return false
	}
	own, err := os.Hostname()
	return strings.Contains(host, ".") && !strings.HasSuffix(host, ".localhost") && (err != nil || host != strings.ToLower(own))
}

// among reports whether token is one of tokens, in a time that does not depend on
// their content.
func among(token string, tokens []string) bool {
	sum := sha256.Sum256([]byte(token))
	found := 0
	for _, t := range tokens {
		if len(t) < MinToken {
			continue
		}
		other := sha256.Sum256([]byte(t))
		found |= subtle.ConstantTimeCompare(sum[:], other[:])
	}
	return found == 1
}
