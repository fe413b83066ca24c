package httpapi

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/seed-a1d591d3/leadership"
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
	node        string // whose health is asked for
	observe     bool
	prefix      string
	shown       []string // systems whose rounds are told
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
// with 500. The default, and anything not above 0, is DefaultTimeout.
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

// WithTokens has all routes but /alive, /openapi.json, the page and those for health
// checks ask for a bearer token: one of read for what changes nothing, one of write for anything. As soon
// as there is one of either kind, a request without a token is refused. A token
// has at least 16 bytes. Called again it adds to those before. The default is to
// ask for none.
func WithTokens(read, write []string) Option {
	return func(o *options) {
		o.readTokens = append(o.readTokens, read...)
		o.writeTokens = append(o.writeTokens, write...)
	}
}

// WithTokenSource has each request that needs a token ask source for those that are
// valid now, beside those of WithTokens: they may change while the handler serves. A
// request without one of them is refused, also while there are none. source is called
// by many goroutines at once and must not block; tokens that are shorter than MinToken
// are valid for nobody. The default, and nil, is no source.
func WithTokenSource(source func() (read, write []string)) Option {
	return func(o *options) { o.tokenSource = source }
}

// WithRetention has the handler delete rounds that were won longer ago than age,
// completed or not, of the systems named and of those that it is asked to elect
// in (1024 in all), a tenth of age or an hour apart, whichever is shorter. A
// round that was deleted may be won again. So age has to be longer than any client
// may still ask for a round, and than the clocks of the machines differ; it must
// be at least a minute. The default, and 0, is to keep rounds for ever.
func WithRetention(age time.Duration, systems ...string) Option {
	return func(o *options) { o.retention, o.systems = age, systems }
}

// WithMargin sets how long before its TTL is over a claim is not to be trusted any
// more, instead of a fifth of the TTL: see leadership.WithMargin. A claim whose TTL
// leaves nothing to trust is refused with 400. It must be at least 1 ms and below an
// hour, which is the longest TTL. The default, and 0, is a fifth of the TTL.
func WithMargin(d time.Duration) Option {
	return func(o *options) { o.margin = d }
}

// WithGrace sets how much less holders are told that they may trust, on top of the
// margin, so that their work has time to stop: see leadership.WithGrace. It must be
// from 0, the default, to below an hour.
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

// WithObserved has the handler observe the elections whose keys begin with prefix, all
// of them where it is empty; 1024 at most. The page, the stream of all elections and the
// metrics tell of those. It costs nothing while nobody looks: until somebody asks for
// them first, and from 150 s after metrics were asked for, or 15 s after the last stream
// has ended. Otherwise it costs a walk through the keys a second, or less often where
// that takes long, and a follower for each election. On a store that is a store.Pager
// the walk reads what is new alone, however many old rounds there are; of any other it is
// a List. Not every store can list with an empty prefix, or one that does not end
// with a slash. The default is to observe none.
//
// The page and the stream tell of rounds, too: of systems that the handler was asked to
// elect in of late, and of those named here.
func WithObserved(prefix string, systems ...string) Option {
	return func(o *options) { o.observe, o.prefix, o.shown = true, prefix, systems }
}

// WithNode names the node whose leadership the health of a leader tells where the
// request names none: of a server that stands beside each candidate, all can then
// be asked by one URL, as load balancers do. The default, and "", is to refuse such a
// request.
func WithNode(name string) Option {
	return func(o *options) { o.node = name }
}

// check says what is wrong with the options.
func (o *options) check() error {
	for _, tokens := range [][]string{o.readTokens, o.writeTokens} {
		for _, token := range tokens {
			if len(token) < MinToken {
				return fmt.Errorf("httpapi: %w: a token has %d bytes: must have at least %d", leadership.ErrInvalidArgument, len(token), MinToken)
			}
		}
	}
	if o.retention != 0 && o.retention < time.Minute {
		return fmt.Errorf("httpapi: %w: retention is %v: must be 0 or at least %v", leadership.ErrInvalidArgument, o.retention, time.Minute)
	}
	if o.node != "" {
		if err := checkName("node", o.node); err != nil {
			return fmt.Errorf("httpapi: %w: %w", leadership.ErrInvalidArgument, err)
		}
	}
	if o.margin != 0 && o.margin < time.Millisecond || o.margin >= maxTTL {
		return fmt.Errorf("httpapi: %w: margin is %v: must be 0, or from 1ms to below %v", leadership.ErrInvalidArgument, o.margin, maxTTL)
	}
	if o.grace < 0 || o.margin+o.grace >= maxTTL {
		return fmt.Errorf("httpapi: %w: grace is %v: must not be below 0, and below %v less the margin", leadership.ErrInvalidArgument, o.grace, maxTTL)
	}
	if o.prefix != "" {
		if err := checkText("prefix", o.prefix, maxKey); err != nil {
			return fmt.Errorf("httpapi: %w: %w", leadership.ErrInvalidArgument, err)
		}
	}
	for _, system := range slices.Concat(o.systems, o.shown) {
		if err := checkName("system", system); err != nil {
			return fmt.Errorf("httpapi: %w: %w", leadership.ErrInvalidArgument, err)
		}
	}
	return nil
}
