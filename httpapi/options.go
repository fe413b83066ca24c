package httpapi

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/store"
)

// MinToken is how many bytes a bearer token has at least.
const MinToken = 16

// Option changes what New makes. An option that is nil changes nothing.
type Option func(*options)

type options struct {
	timeout     time.Duration
	log         *slog.Logger
	readTokens  []string
	writeTokens []string
	tokenSource func() (read, write []string)
	retention   time.Duration
	margin      time.Duration
	grace       time.Duration
	systems     []string
	node        string // the default for requests for the health of a leader
	observe     bool
	prefix      string
	shown       []string // systems whose rounds are observed
	version     version
	storeURL    string // without secrets
}

func newOptions(opts []Option) options {
	o := options{timeout: DefaultTimeout, log: slog.New(slog.DiscardHandler)}
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	return o
}

// WithTimeout sets how long a request waits for the store before it is answered
// with 500. The default, also for 0 and below, is DefaultTimeout.
func WithTimeout(d time.Duration) Option {
	return func(o *options) {
		if d > 0 {
			o.timeout = d
		}
	}
}

// WithLogger sets where failures of the store and panics are logged. The
// default, and nil, is nowhere.
func WithLogger(l *slog.Logger) Option {
	return func(o *options) {
		if l != nil {
			o.log = l
		}
	}
}

// WithTokens makes all routes but /alive, /openapi.json, the page and those for health
// checks ask for a bearer token: one of read for what changes nothing, one of write for
// anything. As soon as there is one of either kind, a request without a token is refused.
// A token has at least MinToken bytes. Further calls add tokens. By default none is asked
// for.
func WithTokens(read, write []string) Option {
	return func(o *options) {
		o.readTokens = append(o.readTokens, read...)
		o.writeTokens = append(o.writeTokens, write...)
	}
}

// WithTokenSource sets a source of tokens, besides those of WithTokens, that may change
// while the handler serves: each request that needs a token asks source for those that
// are valid now. A request without one of them is refused, also while there are none.
// source is called by many goroutines at once and must not block; tokens shorter than
// MinToken are ignored. The default, and nil, is no source.
func WithTokenSource(source func() (read, write []string)) Option {
	return func(o *options) { o.tokenSource = source }
}

// WithRetention makes the handler delete rounds that were won longer ago than age,
// completed or not, of the named systems and of the last 1024 that it was asked to elect
// in. It does so every tenth of age, or every hour if that is sooner. A round that was
// deleted may be won again: so age has to be longer than any client may still ask for a
// round, and longer than the clocks of the machines differ; it must be at least a minute.
// The default, and 0, is to keep rounds for ever.
func WithRetention(age time.Duration, systems ...string) Option {
	return func(o *options) { o.retention, o.systems = age, systems }
}

// WithMargin sets how long before the end of its TTL a claim is not to be trusted any
// more: see leadership.WithMargin. A claim whose TTL leaves no time to trust it is refused
// with 400. The margin must be at least 1 ms and below an hour, which is the longest TTL.
// The default, and 0, is a fifth of the TTL.
func WithMargin(d time.Duration) Option {
	return func(o *options) { o.margin = d }
}

// WithGrace makes the trust that leaders get shorter, on top of the margin, so that
// their work has time to stop: see leadership.WithGrace. It must be from 0, the default,
// to below an hour.
func WithGrace(d time.Duration) Option {
	return func(o *options) { o.grace = d }
}

// claiming returns the options of the claims that are served.
func (o *options) claiming() []leadership.Option {
	opts := []leadership.Option{leadership.WithLogger(o.log), leadership.WithGrace(o.grace)}
	if o.margin != 0 {
		opts = append(opts, leadership.WithMargin(o.margin))
	}
	return opts
}

// WithObserved makes the handler observe the elections whose keys begin with prefix; all
// if it is empty, but at most 10,000. The page, the stream of all elections and the metrics
// are of those. It costs nothing while they are not used: before the first request for
// them, from 150 s after the last request for metrics, and from 15 s after the last stream
// has ended. Otherwise it costs a walk through the keys a second, or less often if that
// takes long, and a read of each election about every third of its TTL. On a store that
// is a store.Pager the walk reads only what is new, however many old rounds there are; on
// any other it is a List. Not every store can list with an empty prefix, or one that does
// not end with a slash. The default is to observe none.
//
// The page and the stream have rounds, too: of the systems that the handler was last
// asked to elect in, and of those named here.
func WithObserved(prefix string, systems ...string) Option {
	return func(o *options) { o.observe, o.prefix, o.shown = true, prefix, systems }
}

// WithNode sets the node for requests for the health of a leader that name none. If
// each candidate has a server beside it, load balancers can then ask all of them by the
// same URL. The default, and "", is to refuse such a request.
func WithNode(name string) Option {
	return func(o *options) { o.node = name }
}

// version is what the program was built from.
type version struct{ number, revision string }

// WithVersion sets what the metric leadership_build_info and the page tell of the program that serves:
// its version, and the revision of its source, which may be empty. The default, and "", is
// "unknown".
func WithVersion(number, revision string) Option {
	return func(o *options) { o.version = version{number, revision} }
}

// WithStoreURL tells the page the URL of the store: it shows it, and in a command for a first
// candidate, while there are no elections. Secrets in it are left out, and so is a URL that
// store.Open would refuse. The default, and "", is to show where the store says it is, as
// store.TargetOf has it.
func WithStoreURL(rawURL string) Option {
	return func(o *options) {
		o.storeURL, _ = store.Redact(rawURL) // empty with an error
	}
}

// invalid returns an error about an option.
func invalid(rule string, args ...any) error {
	return fmt.Errorf("httpapi: %w: %w", leadership.ErrInvalidArgument, fmt.Errorf(rule, clock.Texts(args...)...))
}

// check returns what is wrong with the options.
func (o *options) check() error {
	for _, tokens := range [][]string{o.readTokens, o.writeTokens} {
		for _, token := range tokens {
			if len(token) < MinToken {
				return invalid("a token has %d bytes: must have at least %d", len(token), MinToken)
			}
		}
	}
	if o.retention != 0 && o.retention < time.Minute {
		return invalid("retention is %v: must be 0 or at least %v", o.retention, time.Minute)
	}
	if o.node != "" {
		if err := checkName("node", o.node); err != nil {
			return invalid("%w", err)
		}
	}
	if o.margin != 0 && o.margin < time.Millisecond || o.margin >= maxTTL {
		return invalid("margin is %v: must be 0, or from 1ms to below %v", o.margin, maxTTL)
	}
	if o.grace < 0 || o.margin+o.grace >= maxTTL {
		return invalid("grace is %v: must not be below 0, and below %v less the margin", o.grace, maxTTL)
	}
	if o.prefix != "" {
		if err := checkText("prefix", o.prefix, maxKey); err != nil {
			return invalid("%w", err)
		}
	}
	for _, system := range slices.Concat(o.systems, o.shown) {
		if err := checkName("system", system); err != nil {
			return invalid("%w", err)
		}
	}
	return nil
}
